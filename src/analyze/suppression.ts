// `-S CODE=Kind ns/name`: silencing a finding on an object. Spec validation.md §10.2.

/** Silences one code on the objects that the pattern fits. */
export interface Suppression {
  readonly code: string;
  /** Compared with `Kind ns/name` (`Kind name` without namespace); `*` is any text. */
  readonly pattern: string;
}

/** `undefined` for text that is not `CODE=PATTERN`. */
export function parseSuppression(written: string): Suppression | undefined {
  const equals = written.indexOf('=');
  if (equals < 1 || equals === written.length - 1) return undefined;
  return { code: written.slice(0, equals), pattern: written.slice(equals + 1) };
}

/** `resource` is 'Kind/ns/name', as diagnostics have it. */
export function suppresses({ code, pattern }: Suppression, foundCode: string, resource: string): boolean {
  if (code !== foundCode) return false;
  const slash = resource.indexOf('/');
  const friendly = `${resource.slice(0, slash)} ${resource.slice(slash + 1)}`;
  const expression = pattern
    .split('*')
    .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    .join('[^]*');
  return new RegExp(`^${expression}$`).test(friendly);
}
