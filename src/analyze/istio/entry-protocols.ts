// ServiceEntries agree about the protocol of a host and port. Spec validation.md §11 IST0177. Istio:
// serviceentry/conflictingserviceentries.go.

import { goQuote } from '../../config/validate/go-text.js';
import type { WrittenObject } from '../../config/written-object.js';
import { ConflictingServiceEntryProtocol } from '../../diagnostics/catalogue.js';
import type { AnalysisContext, Analyzer } from '../analyzer.js';
import { Field } from '../field.js';
import { fullName } from '../selector.js';
import { exportScopes } from './destination-lookup.js';

interface Use {
  readonly entry: WrittenObject;
  readonly protocol: string;
}

interface ScopedPort {
  readonly scope: string;
  readonly host: string;
  readonly port: number;
  readonly uses: Use[];
}

export const entryProtocols: Analyzer = {
  name: 'serviceentry.ConflictingServiceEntryProtocolAnalyzer',
  description: 'Checks if multiple ServiceEntries define the same host and port with different protocols',
  inputs: ['ServiceEntry'],
  messages: [ConflictingServiceEntryProtocol],
  analyze(context) {
    const ports = scopedPorts(context);
    // Istio's choice among several conflicts of one entry is random; ours is the first by scope, host and port.
    const told = new Set<WrittenObject>();
    for (const { scope, host, port, uses } of ports.values()) {
      const everywhere = scope === '*' ? [] : (ports.get(keyOf('*', host, port))?.uses ?? []);
      const all = [...uses, ...everywhere];
      const protocols = new Set(all.map(({ protocol }) => protocol.toUpperCase()));
      if (protocols.size < 2) continue;
      const entries = [...new Set(all.map(({ entry }) => fullName(entry)))].sort().join(', ');
      for (const { entry } of all) {
        if (told.has(entry)) continue;
        told.add(entry);
        context.report(
          ConflictingServiceEntryProtocol,
          protocolField(entry, port),
          { entries, host: goQuote(host), port, protocols: [...protocols].sort().join(', ') },
          { printed: Field.of(entry).get('metadata', 'name') },
        );
      }
    }
  },
};

function keyOf(scope: string, host: string, port: number): string {
  return `${scope}/${host}:${port}`;
}

function scopedPorts(context: AnalysisContext): ReadonlyMap<string, ScopedPort> {
  const ports = new Map<string, ScopedPort>();
  for (const entry of context.all('ServiceEntry')) {
    const spec = Field.of(entry).get('spec');
    for (const scope of exportScopes(spec.get('exportTo').texts(), entry.namespace)) {
      for (const host of spec.get('hosts').texts()) {
        for (const written of spec.get('ports').items()) {
          const port = written.get('number').number();
          const use = { entry, protocol: written.get('protocol').text() };
          const known = ports.get(keyOf(scope, host, port));
          if (known === undefined) ports.set(keyOf(scope, host, port), { scope, host, port, uses: [use] });
          else known.uses.push(use);
        }
      }
    }
  }
  return ports;
}

function protocolField(entry: WrittenObject, port: number): Field {
  const ports = Field.of(entry).get('spec', 'ports');
  const item = ports.items().find((candidate) => candidate.get('number').number() === port);
  return item === undefined ? ports : item.get('protocol');
}
