// One block of header operations, compiled and applied (spec virtualservice.md §14.1): removes, then values formatted
// against what is left, then sets, then adds.
import { toBytes } from '../regex/index.js';
import type { HeaderValueOption } from '../xds/index.js';
import type { HeaderMap } from './header-map.js';
import { addHeader } from './inline-headers.js';
import { compileHeaderFormat, type HeaderFormat, type OperatorFacts } from './operators.js';

interface CompiledOption {
  readonly name: string;
  readonly format: HeaderFormat;
  readonly overwrite: boolean;
}

/** One block of additions and removals, compiled; applied in the order in which Envoy does it. */
export class HeaderOperations {
  private readonly removals: readonly string[];
  private readonly options: readonly CompiledOption[];

  private constructor(removals: readonly string[], options: readonly CompiledOption[]) {
    this.removals = removals;
    this.options = options;
  }

  /** `undefined` = nothing to do; 'refused' = a value names an unknown operator. */
  static compile(
    toAdd: readonly HeaderValueOption[] | undefined,
    toRemove: readonly string[] | undefined,
  ): HeaderOperations | 'refused' | undefined {
    const options: CompiledOption[] = [];
    for (const option of toAdd ?? []) {
      const format = compileHeaderFormat(toBytes(option.header.value ?? ''));
      if (format === undefined) return 'refused';
      const overwrite = option.append_action === 'OVERWRITE_IF_EXISTS_OR_ADD';
      options.push({ name: option.header.key.toLowerCase(), format, overwrite });
    }
    const removals = (toRemove ?? []).map((name) => name.toLowerCase());
    return options.length + removals.length === 0 ? undefined : new HeaderOperations(removals, options);
  }

  apply(headers: HeaderMap, facts: OperatorFacts, isInline: (name: string) => boolean): void {
    for (const name of this.removals) headers.remove(name);
    // Values see the headers after the removals and before any of this block's sets.
    const values = this.options.map((option) => option.format.render(facts));
    for (const [index, option] of this.options.entries()) {
      const value = values[index] ?? '';
      if (!option.overwrite || value === '') continue;
      // A set moves the header to the end (measured).
      headers.remove(option.name);
      headers.append(option.name, value);
    }
    for (const [index, option] of this.options.entries()) {
      const value = values[index] ?? '';
      if (!option.overwrite && value !== '') addHeader(headers, option.name, value, isInline);
    }
  }
}
