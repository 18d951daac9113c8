// All probes.
import type { Probe } from './probe.js';
import { virtualServiceProbes } from './virtual-service.js';

export const PROBES: readonly Probe[] = [...virtualServiceProbes];
