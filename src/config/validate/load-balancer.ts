// `loadBalancer` of a traffic policy. Spec validation.md §5.
import type { Findings } from './findings.js';
import { validateLocalities } from './localities.js';
import { validateDuration } from './values.js';
import type { Written } from './written.js';

/** `outlier`: the same policy has outlier detection. */
export function validateLoadBalancer(balancer: Written | undefined, outlier: boolean, found: Findings): void {
  if (balancer === undefined) return;
  const hash = balancer.oneOf('simple', 'consistentHash', 'backendUtilization') === 'consistentHash';
  if (hash) validateConsistentHash(balancer.message('consistentHash'), found);
  const locality = balancer.message('localityLbSetting');
  const zones = balancer.message('zoneAwareLbSetting');
  if (locality !== undefined && zones !== undefined) {
    found.error(
      'only one of localityLbSetting and zoneAwareLbSetting can be set',
      balancer.spanOf('zoneAwareLbSetting'),
    );
  }
  if (locality !== undefined) validateLocalitySetting(locality, outlier, found);
  if (zones !== undefined) validateZoneSetting(zones, outlier, found);
  const warmup = balancer.message('warmup');
  if (warmup !== undefined) validateWarmup(warmup, found);
}

function validateConsistentHash(hash: Written | undefined, found: Findings): void {
  if (hash === undefined) return;
  const key = hash.oneOf('httpHeaderName', 'httpCookie', 'useSourceIp', 'httpQueryParameterName');
  const cookie = key === 'httpCookie' ? hash.message(key) : undefined;
  if (cookie !== undefined) validateCookie(cookie, found);
  const algorithm = hash.oneOf('ringHash', 'maglev');
  if (hash.number('minimumRingSize') !== 0) {
    const span = hash.spanOf('minimumRingSize');
    found.warning(
      "consistent hash MinimumRingSize is deprecated, use ConsistentHashLB's RingHash configuration instead",
      span,
    );
    if (algorithm !== undefined) {
      found.error('only one of MinimumRingSize or Maglev/Ringhash can be specified', span);
    }
  }
  const maglev = algorithm === 'maglev' ? hash.message(algorithm) : undefined;
  if (maglev === undefined) return;
  const size = maglev.number('tableSize');
  const span = maglev.spanOf('tableSize');
  if (size === 0) found.error('tableSize must be set for maglev', span);
  if (size >= 5_000_011) found.error('tableSize must be less than 5000011 for maglev', span);
  if (!isPrime(size)) found.error('tableSize must be a prime number for maglev', span);
}

function validateCookie(cookie: Written, found: Findings): void {
  if (cookie.text('name') === '') found.error('name required for HttpCookie', cookie.span);
  const names = new Set<string>();
  for (const attribute of cookie.messages('attributes')) {
    const name = attribute.text('name');
    if (name === '') found.error('cookie attribute name cannot be empty', attribute.span);
    else if (names.has(name)) found.error(`duplicate cookie attribute name: ${name}`, attribute.spanOf('name'));
    names.add(name);
  }
}

/** As Envoy counts: 1 is one too. */
function isPrime(value: number): boolean {
  if (value >= 1 && value < 4) return true;
  if (value % 2 === 0) return false;
  if (value > 1e10) return isLargePrime(BigInt(value));
  const limit = Math.sqrt(value);
  for (let factor = 3; factor <= limit; factor += 2) if (value % factor === 0) return false;
  return true;
}

/** Miller and Rabin's test; with these bases it is exact for every 64-bit number. */
function isLargePrime(value: bigint): boolean {
  let odd = value - 1n;
  let twos = 0;
  for (; odd % 2n === 0n; odd /= 2n) twos++;
  return [2n, 3n, 5n, 7n, 11n, 13n, 17n, 19n, 23n, 29n, 31n, 37n].every((base) => {
    let power = powerModulo(base, odd, value);
    if (power === 1n || power === value - 1n) return true;
    for (let round = 1; round < twos; round++) {
      power = (power * power) % value;
      if (power === value - 1n) return true;
    }
    return false;
  });
}

function powerModulo(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n;
  let square = base % modulus;
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if ((rest & 1n) === 1n) result = (result * square) % modulus;
    square = (square * square) % modulus;
  }
  return result;
}

const TOPOLOGY: ReadonlySet<string> = new Set([
  'topology.kubernetes.io/region',
  'topology.kubernetes.io/zone',
  'topology.istio.io/subzone',
]);

function warnWithoutOutlier(setting: Written, outlier: boolean, found: Findings): void {
  const key = setting.messages('failover').length > 0 ? 'failover' : 'failoverPriority';
  const used = key === 'failover' || setting.texts(key).length > 0;
  if (used && !outlier) found.warning('outlier detection policy must be provided for failover', setting.spanOf(key));
}

function validateLocalitySetting(setting: Written, outlier: boolean, found: Findings): void {
  const distribute = setting.messages('distribute');
  const failover = setting.messages('failover');
  if (distribute.length > 0 && failover.length > 0) {
    found.error("can not simultaneously specify 'distribute' and 'failover'", setting.spanOf('failover'));
    return;
  }
  const label = setting.texts('failoverPriority').find(({ value }) => TOPOLOGY.has(value));
  if (failover.length > 0 && label !== undefined) {
    found.error(
      `can not simultaneously set 'failover' and topology label '${label.value}' in 'failover_priority'`,
      label.span,
    );
    return;
  }
  if (!validateDistribution(distribute, found)) return;
  warnWithoutOutlier(setting, outlier, found);
  for (const entry of failover) {
    validateFailover(entry, found, {
      same: 'locality lb failover settings must specify different regions',
      slash: 'locality lb failover only specify region',
      star: "locality lb failover region should not contain '*' wildcard",
    });
  }
}

/** False where Istio stops looking. */
function validateDistribution(distribute: readonly Written[], found: Findings): boolean {
  for (const entry of distribute) {
    const targets = entry.pairs('to');
    let total = 0;
    for (const { value, span } of targets) {
      const weight = Number(value);
      if (weight <= 0 || weight > 100) {
        found.error('locality weight must be in range [1, 100]', span);
        return false;
      }
      total += weight;
    }
    if (total !== 100) {
      found.error(`total locality weight ${total} != 100`, entry.spanOf('to'));
      return false;
    }
    validateLocalities(
      targets.map(({ key, keySpan }) => ({ value: key, span: keySpan })),
      found,
    );
  }
  validateLocalities(
    distribute.map((entry) => ({ value: entry.text('from'), span: entry.spanOf('from') })),
    found,
  );
  return true;
}

interface FailoverTexts {
  readonly same: string;
  readonly slash: string;
  readonly star: string;
}

function validateFailover(entry: Written, found: Findings, texts: FailoverTexts): void {
  const from = entry.text('from');
  const to = entry.text('to');
  const at = (character: string): Written['span'] => entry.spanOf(from.includes(character) ? 'from' : 'to');
  if (from === to) found.error(texts.same, entry.spanOf('to'));
  if (from.includes('/') || to.includes('/')) found.error(texts.slash, at('/'));
  if (from.includes('*') || to.includes('*')) found.error(texts.star, at('*'));
}

function validateZoneSetting(setting: Written, outlier: boolean, found: Findings): void {
  for (const { value, span } of setting.texts('failoverPriority')) {
    if (!TOPOLOGY.has(value)) continue;
    found.error(
      `'failover_priority' for zone aware lb must not use topology label '${value}'; region- and zone-level routing are handled automatically`,
      span,
    );
  }
  warnWithoutOutlier(setting, outlier, found);
  for (const entry of setting.messages('failover')) {
    validateFailover(entry, found, {
      same: 'zone aware lb failover settings must specify different regions',
      slash: 'zone aware lb failover only specifies region; zone and subzone failover are handled automatically',
      star: "zone aware lb failover region should not contain '*' wildcard",
    });
  }
}

function validateWarmup(warmup: Written, found: Findings): void {
  if (warmup.has('duration')) validateDuration(warmup, 'duration', found);
  else found.error('duration is required', warmup.span);
  if (warmup.number('minimumPercent') > 100) {
    found.error('minimumPercent value should be less than or equal to 100', warmup.spanOf('minimumPercent'));
  }
  if (warmup.has('aggression') && warmup.number('aggression') <= 0) {
    found.error('aggression should be greater than 0', warmup.spanOf('aggression'));
  }
}
