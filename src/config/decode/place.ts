// Where a decoder stands: the path of the field, for messages, and the way to report about it.
import type { DiagnosticDetails, MessageType } from '../../diagnostics/diagnostic.js';
import type { FieldPath } from '../model/resource.js';
import type { Span } from '../yaml/tree.js';

/** What decoders need to know of the document they are in. */
export interface DecodeContext {
  /** Reports at a span of the document's file. */
  report(
    type: MessageType,
    span: Span,
    parameters?: Readonly<Record<string, string | number>>,
    details?: DiagnosticDetails,
  ): void;
  /**
   * `strict`: only the names and types that the API server's schema knows. `lenient`: MeshConfig, which istiod reads as
   * proto-JSON: names in snake_case too, and an unknown field is passed over.
   */
  readonly strictness: 'strict' | 'lenient';
}

/** Where in an object a decoder is, for paths and spans of diagnostics. */
export class Place {
  readonly context: DecodeContext;
  private readonly parent: Place | undefined;
  private readonly key: string | number;

  constructor(context: DecodeContext, parent: Place | undefined, key: string | number) {
    this.context = context;
    this.parent = parent;
    this.key = key;
  }

  /** The top of a document; its path prints as ''. */
  static root(context: DecodeContext): Place {
    return new Place(context, undefined, '');
  }

  child(key: string | number): Place {
    return new Place(this.context, this, key);
  }

  /** The same place, where nothing is reported: of what is not there. */
  silent(): Place {
    return new Place({ ...this.context, report: () => {} }, this.parent, this.key);
  }

  /** 'spec.servers[0].port', the form of the API server. */
  toString(): string {
    let text = '';
    for (const step of this.path()) {
      if (typeof step === 'number') text += `[${step}]`;
      else text += text === '' ? step : `.${step}`;
    }
    return text;
  }

  path(): FieldPath {
    const steps: (string | number)[] = [];
    for (let place: Place = this; place.parent !== undefined; place = place.parent) steps.push(place.key);
    return steps.reverse();
  }

  report(
    type: MessageType,
    span: Span,
    parameters: Readonly<Record<string, string | number>> = {},
    details?: DiagnosticDetails,
  ): void {
    this.context.report(type, span, { path: this.toString(), ...parameters }, details);
  }
}
