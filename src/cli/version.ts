// The version of this package, read from its package.json once.
import { readFileSync } from 'node:fs';

/** Of package.json. */
export const version: string = readVersion();

function readVersion(): string {
  const parsed: unknown = JSON.parse(readFileSync(new URL(packagePath(), import.meta.url), 'utf8'));
  const found = typeof parsed === 'object' && parsed !== null && 'version' in parsed ? parsed.version : undefined;
  return typeof found === 'string' ? found : '0.0.0';
}

// dist/cli/version.js, or dist-test/src/cli/version.js when tests run what they compiled.
function packagePath(): string {
  return import.meta.url.includes('/dist-test/src/') ? '../../../package.json' : '../../package.json';
}
