// The import table of ARCHITECTURE.md as data: which folder of src may import which, and which may touch the world.
// A new edge is added here and in ARCHITECTURE.md in the same commit, or it is an accident.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';

interface Row {
  readonly imports: readonly string[];
  readonly io?: boolean;
}

// The longest prefix that fits a file names its row.
const ROWS: Readonly<Record<string, Row>> = {
  'diagnostics/': { imports: [] },
  'regex/': { imports: [] },
  'config/': { imports: ['diagnostics/', 'regex/'] },
  'registry/': { imports: ['config/', 'diagnostics/'] },
  'xds/': { imports: ['diagnostics/'] },
  'translate/': { imports: ['config/', 'registry/', 'xds/', 'regex/', 'diagnostics/'] },
  'match/': { imports: ['xds/', 'regex/'] },
  'filters/': { imports: ['xds/', 'regex/'] },
  'balance/': { imports: ['xds/'] },
  'decide/': { imports: ['xds/', 'match/', 'filters/', 'balance/', 'diagnostics/'] },
  'dataplane/': {
    imports: ['xds/', 'match/inspect/', 'filters/', 'balance/', 'decide/', 'diagnostics/'],
    io: true,
  },
  'analyze/': {
    imports: ['config/', 'registry/', 'xds/', 'match/', 'decide/', 'regex/', 'diagnostics/'],
  },
  'export/': { imports: ['xds/', 'diagnostics/'] },
  'certs/': { imports: ['diagnostics/'] },
  'stub/': { imports: ['certs/'], io: true },
  'gateway/': {
    imports: [
      'analyze/',
      'diagnostics/',
      'regex/',
      'config/',
      'registry/',
      'xds/',
      'translate/',
      'match/',
      'filters/',
      'balance/',
      'decide/',
      'dataplane/',
      'certs/',
      'stub/',
    ],
    io: true,
  },
  'gateway.ts': {
    imports: [
      'gateway/',
      'analyze/',
      'config/',
      'registry/',
      'xds/',
      'translate/',
      'decide/',
      'dataplane/',
      'certs/',
      'stub/',
      'diagnostics/',
    ],
    io: true,
  },
  'contract/': {
    imports: [
      'gateway/',
      'gateway.ts',
      'decide/',
      'dataplane/environment.ts',
      'stub/',
      'certs/',
      'xds/',
      'config/',
      'regex/',
      'diagnostics/',
    ],
    io: true,
  },
  'admin/': {
    imports: ['gateway/', 'gateway.ts', 'xds/', 'dataplane/telemetry/', 'diagnostics/', 'translate/'],
    io: true,
  },
  'cli/': {
    imports: [
      'diagnostics/',
      'config/',
      'registry/',
      'xds/',
      'translate/',
      'decide/',
      'dataplane/',
      'certs/',
      'stub/',
      'gateway/',
      'gateway.ts',
      'contract/',
      'admin/',
      'analyze/',
      'export/',
      'deviations.ts',
    ],
    io: true,
  },
  'deviations.ts': { imports: ['config/', 'diagnostics/'] },
  'index.ts': { imports: ['gateway.ts', 'contract/', 'diagnostics/', 'decide/'] },
  'testing.ts': { imports: ['gateway.ts', 'contract/', 'diagnostics/', 'certs/', 'stub/'] },
};

// Packages have one owner too.
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  yaml: ['config/', 'gateway/'],
  xmlbuilder2: ['diagnostics/'],
  re2js: ['regex/'],
  selfsigned: ['certs/'],
  'http2-proxy': ['dataplane/router/'],
  pino: ['cli/', 'gateway/', 'gateway.ts'],
  chokidar: ['gateway/', 'gateway.ts'],
  commander: ['cli/'],
};

const WORLD = /^node:(net|tls|https?|http2|dgram|dns|fs|child_process|worker_threads|cluster)(\/|$)/;
const TIMERS = /\b(setTimeout|setInterval|setImmediate)\s*\(/;

const files = list('src');
const imports = new Map(files.map((file) => [file, importsOf(file)]));

t.test('no folder imports what its row does not name', (t) => {
  for (const [file, targets] of imports) {
    const row = rowOf(file);
    for (const { target } of targets) {
      const other = rowOf(target);
      if (other === row) continue;
      const allowed = (ROWS[row] as Row).imports;
      t.ok(
        allowed.some((prefix) => target.startsWith(prefix)),
        `${file} may not import ${target}`,
      );
    }
  }
  t.end();
});

t.test('only rows with I/O touch sockets, files, processes and timers', (t) => {
  for (const file of files) {
    if ((ROWS[rowOf(file)] as Row).io === true) continue;
    const text = withoutComments(readFileSync(path.join('src', file), 'utf8'));
    for (const name of runtimePackagesOf(file)) t.notMatch(name, WORLD, `${file} imports ${name}`);
    t.notMatch(text, TIMERS, `${file} uses a timer`);
  }
  t.end();
});

t.test('no HTTP of Node in the data plane: its codecs are our own', (t) => {
  for (const file of files) {
    if (!file.startsWith('dataplane/')) continue;
    for (const name of runtimePackagesOf(file)) {
      t.notMatch(name, /^node:(https?|http2)$/, `${file} imports ${name}`);
    }
  }
  t.end();
});

t.test('each package has its owner', (t) => {
  for (const file of files) {
    for (const name of packagesOf(file)) {
      if (name.startsWith('node:')) continue;
      const owners = PACKAGES[name.split('/')[0] as string];
      t.ok(
        owners?.some((owner) => file.startsWith(owner)),
        `${file} may not import the package ${name}`,
      );
    }
  }
  t.end();
});

t.test('no cycle among files', (t) => {
  const state = new Map<string, 'open' | 'done'>();
  const cycles: string[] = [];
  const visit = (file: string, trail: readonly string[]): void => {
    if (state.get(file) === 'done') return;
    if (state.get(file) === 'open') {
      cycles.push([...trail.slice(trail.indexOf(file)), file].join(' -> '));
      return;
    }
    state.set(file, 'open');
    // Types vanish when compiled, so only values can make a cycle that breaks at run time.
    for (const { target, typeOnly } of imports.get(file) ?? []) if (!typeOnly) visit(target, [...trail, file]);
    state.set(file, 'done');
  };
  for (const file of files) visit(file, []);
  t.strictSame(cycles, []);
  t.end();
});

function list(root: string, folder = ''): string[] {
  const found: string[] = [];
  for (const entry of readdirSync(path.join(root, folder), { withFileTypes: true })) {
    const name = path.posix.join(folder, entry.name);
    if (entry.isDirectory()) found.push(...list(root, name));
    else if (name.endsWith('.ts')) found.push(name);
  }
  return found;
}

function rowOf(file: string): string {
  const fits = Object.keys(ROWS).filter((prefix) => file === prefix || file.startsWith(prefix));
  const longest = fits.sort((a, b) => b.length - a.length)[0];
  if (longest === undefined) throw new Error(`${file} is in no row of the import table`);
  return longest;
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
}

interface Specifier {
  readonly name: string;
  readonly typeOnly: boolean;
}

function specifiersOf(file: string): Specifier[] {
  const text = withoutComments(readFileSync(path.join('src', file), 'utf8'));
  const found: Specifier[] = [];
  for (const match of text.matchAll(/^(import|export)\s+(type\s)?[^;'"]*?from\s+['"]([^'"]+)['"]/gm)) {
    found.push({ name: match[3] as string, typeOnly: match[2] !== undefined });
  }
  for (const match of text.matchAll(/^import\s+['"]([^'"]+)['"]/gm))
    found.push({ name: match[1] as string, typeOnly: false });
  for (const match of text.matchAll(/(typeof\s+)?\bimport\(\s*['"]([^'"]+)['"]\s*\)/g)) {
    found.push({ name: match[2] as string, typeOnly: match[1] !== undefined });
  }
  return found;
}

function importsOf(file: string): { target: string; typeOnly: boolean }[] {
  return specifiersOf(file)
    .filter(({ name }) => name.startsWith('.'))
    .map(({ name, typeOnly }) => ({
      target: path.posix.join(path.posix.dirname(file), name).replace(/\.js$/, '.ts'),
      typeOnly,
    }));
}

function packagesOf(file: string): string[] {
  return specifiersOf(file)
    .filter(({ name }) => !name.startsWith('.'))
    .map(({ name }) => name);
}

function runtimePackagesOf(file: string): string[] {
  return specifiersOf(file)
    .filter(({ name, typeOnly }) => !name.startsWith('.') && !typeOnly)
    .map(({ name }) => name);
}
