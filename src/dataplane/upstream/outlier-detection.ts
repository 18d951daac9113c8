// Ejection of endpoints that fail (spec destinations.md §10). Counting is immediate; what the load balancer sees of it is
// delayed by Envoy's update merge window.
import { type OutlierDetection, parseDuration } from '../../xds/index.js';
import type { Environment, Timer } from '../environment.js';
import { type Counter, counter, gauge } from '../telemetry/stats.js';
import type { Host, RequestOutcome } from './cluster-manager.js';

interface HostRecord {
  consecutive5xx: number;
  consecutiveGateway: number;
  consecutiveLocal: number;
  ejected: boolean;
  ejectedAt: number;
  /** Times ejected, lowered by one per healthy interval. */
  backoff: number;
}

type Streak = 'consecutive5xx' | 'consecutiveGateway' | 'consecutiveLocal';

const STAT_NAMES: Readonly<Record<Streak, string>> = {
  consecutive5xx: 'consecutive_5xx',
  consecutiveGateway: 'consecutive_gateway_failure',
  consecutiveLocal: 'consecutive_local_origin_failure',
};

const UPDATE_MERGE_WINDOW = 1000;
const MAX_EJECTION_TIME = 300_000;
const CONNECT_FAILED = 503;
const TIMED_OUT = 504;

/** Counts outcomes per host and ejects; one per cluster. */
export class OutlierDetector {
  private readonly config: OutlierDetection;
  private readonly environment: Environment;
  private readonly hosts: () => readonly Host[];
  private readonly changed: () => void;
  private readonly interval: number;
  private readonly baseTime: number;
  private readonly records = new Map<Host, HostRecord>();
  private readonly active: Counter;
  private readonly enforced: Counter;
  private readonly overflow: Counter;
  private readonly detectedBy: Readonly<Record<Streak, Counter>>;
  private readonly enforcedBy: Readonly<Record<Streak, Counter>>;
  private lastUpdate = Number.NEGATIVE_INFINITY;
  private sweep: Timer | undefined = undefined;
  private merge: Timer | undefined = undefined;
  private isDue = false;
  private closed = false;

  /** `changed` is called after `ejected` of a host has changed. */
  constructor(
    config: OutlierDetection,
    environment: Environment,
    hosts: () => readonly Host[],
    changed: () => void,
    prefix: string,
  ) {
    this.config = config;
    this.environment = environment;
    this.hosts = hosts;
    this.changed = changed;
    this.interval = durationOf(config.interval, 10_000);
    this.baseTime = durationOf(config.base_ejection_time, 30_000);
    this.active = gauge(`${prefix}.outlier_detection.ejections_active`);
    this.enforced = counter(`${prefix}.outlier_detection.ejections_enforced_total`);
    this.overflow = counter(`${prefix}.outlier_detection.ejections_overflow`);
    this.detectedBy = countersOf(`${prefix}.outlier_detection.ejections_detected_`);
    this.enforcedBy = countersOf(`${prefix}.outlier_detection.ejections_enforced_`);
  }

  report(host: Host, outcome: RequestOutcome): void {
    // Streams may outlive their cluster.
    if (this.closed) return;
    const record = this.recordOf(host);
    if ('local' in outcome && this.config.split_external_local_origin_errors === true) {
      this.count(
        record,
        'consecutiveLocal',
        this.config.consecutive_local_origin_failure ?? 5,
        this.config.enforcing_consecutive_local_origin_failure ?? 100,
      );
      return;
    }
    const status = 'status' in outcome ? outcome.status : outcome.local === 'timeout' ? TIMED_OUT : CONNECT_FAILED;
    if (status < 500) {
      record.consecutive5xx = 0;
      record.consecutiveGateway = 0;
      return;
    }
    if (status >= 502 && status <= 504) {
      this.count(
        record,
        'consecutiveGateway',
        this.config.consecutive_gateway_failure ?? 5,
        this.config.enforcing_consecutive_gateway_failure ?? 0,
      );
    } else {
      record.consecutiveGateway = 0;
    }
    this.count(
      record,
      'consecutive5xx',
      this.config.consecutive_5xx ?? 5,
      this.config.enforcing_consecutive_5xx ?? 100,
    );
  }

  /** A connection came about: with split counting it ends a series of local failures. */
  connected(host: Host): void {
    const record = this.records.get(host);
    if (record !== undefined) record.consecutiveLocal = 0;
  }

  /** Hosts that left take their state with them. */
  forget(hosts: readonly Host[]): void {
    for (const host of hosts) {
      if (this.records.get(host)?.ejected === true) this.active.value--;
      this.records.delete(host);
    }
  }

  close(): void {
    this.closed = true;
    this.forget([...this.records.keys()]);
    this.sweep?.cancel();
    this.merge?.cancel();
    this.sweep = undefined;
    this.merge = undefined;
  }

  private recordOf(host: Host): HostRecord {
    let record = this.records.get(host);
    if (record === undefined) {
      record = {
        consecutive5xx: 0,
        consecutiveGateway: 0,
        consecutiveLocal: 0,
        ejected: false,
        ejectedAt: 0,
        backoff: 0,
      };
      this.records.set(host, record);
    }
    return record;
  }

  // Envoy compares with "equals", then starts over.
  private count(record: HostRecord, field: Streak, threshold: number, enforcing: number): void {
    record[field]++;
    if (record[field] !== threshold) return;
    record[field] = 0;
    if (!record.ejected) this.eject(record, field, enforcing);
  }

  private eject(record: HostRecord, reason: Streak, enforcing: number): void {
    this.detectedBy[reason].value++;
    const hosts = this.hosts();
    let ejected = 0;
    for (const other of hosts) if (this.records.get(other)?.ejected === true) ejected++;
    // There is no "at least one host" guarantee since Envoy 1.28.
    if ((100 * (ejected + 1)) / hosts.length > (this.config.max_ejection_percent ?? 10)) {
      this.overflow.value++;
      return;
    }
    if (enforcing <= 0 || this.environment.random() * 100 >= enforcing) return;
    record.ejected = true;
    record.ejectedAt = this.environment.now();
    if (this.baseTime * record.backoff < this.maxTime() + this.baseTime) record.backoff++;
    this.active.value++;
    this.enforced.value++;
    this.enforcedBy[reason].value++;
    this.publish();
    this.startSweep();
  }

  private maxTime(): number {
    return Math.max(MAX_EJECTION_TIME, this.baseTime);
  }

  private startSweep(): void {
    this.sweep ??= this.environment.setTimer(this.interval, () => {
      this.sweep = undefined;
      this.endEjections();
    });
  }

  private endEjections(): void {
    const now = this.environment.now();
    let busy = false;
    let returned = false;
    for (const record of this.records.values()) {
      if (!record.ejected) {
        if (record.backoff > 0) record.backoff--;
        if (record.backoff > 0) busy = true;
        continue;
      }
      busy = true;
      if (now - record.ejectedAt < Math.min(this.baseTime * record.backoff, this.maxTime())) continue;
      record.ejected = false;
      record.consecutive5xx = 0;
      record.consecutiveGateway = 0;
      record.consecutiveLocal = 0;
      this.active.value--;
      returned = true;
    }
    if (returned) this.publish();
    if (busy) this.startSweep();
  }

  // The first change after a quiet second is seen at once; later ones when that second is over (§10.3).
  private publish(): void {
    if (this.merge !== undefined) return;
    const wait = this.lastUpdate + UPDATE_MERGE_WINDOW - this.environment.now();
    if (wait > 0) {
      this.merge = this.environment.setTimer(wait, () => {
        this.merge = undefined;
        this.show();
      });
      return;
    }
    // Just after the response was passed on, not before; a timer would be late for the next request of a fast client.
    if (this.isDue) return;
    this.isDue = true;
    queueMicrotask(() => {
      this.isDue = false;
      this.show();
    });
  }

  private show(): void {
    this.lastUpdate = this.environment.now();
    for (const [host, record] of this.records) host.ejected = record.ejected;
    this.changed();
  }
}

function countersOf(prefix: string): Readonly<Record<Streak, Counter>> {
  return {
    consecutive5xx: counter(prefix + STAT_NAMES.consecutive5xx),
    consecutiveGateway: counter(prefix + STAT_NAMES.consecutiveGateway),
    consecutiveLocal: counter(prefix + STAT_NAMES.consecutiveLocal),
  };
}

function durationOf(text: string | undefined, fallback: number): number {
  return text === undefined ? fallback : (parseDuration(text) ?? fallback);
}
