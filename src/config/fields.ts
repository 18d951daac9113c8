// Every field of every kind that postern reads, one row each: where it stands, what type it has, how far it is carried
// out. The decoders are made from the same rows, so this list cannot drift from what the program does.
import type { FieldRow, FieldStatus, MessageShape, ValueType } from './decode/value-type.js';
import type { KindDefinition } from './fields/common.js';
import { destinationRule } from './fields/destination-rule.js';
import { gateway } from './fields/gateway.js';
import { configMap, endpointSlice, endpoints, namespace, pod, secret, service } from './fields/kubernetes.js';
import { meshConfig } from './fields/mesh-config.js';
import { peerAuthentication } from './fields/peer-authentication.js';
import { serviceEntry, workloadEntry } from './fields/service-entry.js';
import { virtualService } from './fields/virtual-service.js';
import type { Kind } from './model/resource.js';

type KindDefinitions = { readonly [K in Kind]: KindDefinition<K> };

/** How each kind is read. */
export const KIND_DEFINITIONS: KindDefinitions = {
  Gateway: gateway,
  VirtualService: virtualService,
  DestinationRule: destinationRule,
  ServiceEntry: serviceEntry,
  WorkloadEntry: workloadEntry,
  PeerAuthentication: peerAuthentication,
  Service: service,
  Pod: pod,
  EndpointSlice: endpointSlice,
  Endpoints: endpoints,
  Secret: secret,
  ConfigMap: configMap,
  Namespace: namespace,
};

/** One field of the API. */
export interface Field {
  /** 'Gateway', or 'MeshConfig', which is no kind but has fields all the same. */
  readonly kind: Kind | 'MeshConfig';
  /** 'spec.servers[].port.number'; `[]` is any item and `{}` any key. */
  readonly path: string;
  /** 'list<Server>', 'duration'. */
  readonly type: string;
  /** Not more than the message around it: what is inside a message that is not emulated is not emulated either. */
  readonly status: FieldStatus;
  /** Why it has no effect, how it is refused, what is missing; '' where it is emulated. */
  readonly note: string;
  readonly required: boolean;
  /** The message that it is a field of, 'HTTPRoute'. */
  readonly message: MessageShape;
  /** The decoder's line, one for every place where the message stands. */
  readonly row: FieldRow;
}

/** All fields, kind by kind, in the order of their tables. */
export function listFields(): readonly Field[] {
  const fields: Field[] = [];
  for (const definition of Object.values(KIND_DEFINITIONS)) {
    collect(fields, definition.kind, '', undefined, definition.root.inner);
  }
  collect(fields, 'MeshConfig', '', undefined, meshConfig.inner);
  return fields;
}

function collect(
  fields: Field[],
  kind: Field['kind'],
  prefix: string,
  around: FieldRow | undefined,
  message: MessageShape | undefined,
): void {
  if (message === undefined) return;
  for (const [name, row] of message.rows) {
    const path = prefix === '' ? name : `${prefix}.${name}`;
    const verdict = weaker(around, row);
    const { status, note } = verdict;
    fields.push({ kind, path, type: row.type.name, status, note, required: row.required, message, row });
    collect(fields, kind, path + repetition(row.type), verdict, row.type.inner);
  }
}

/** A field cannot do more than the message that it is in. */
function weaker(around: FieldRow | undefined, row: FieldRow): FieldRow {
  if (around === undefined || around.status === 'emulated') return row;
  return row.status === 'emulated' || around.status === 'not emulated' ? around : row;
}

function repetition(type: ValueType<unknown>): string {
  if (type.name.startsWith('list<')) return '[]';
  return type.name.startsWith('map<') ? '{}' : '';
}
