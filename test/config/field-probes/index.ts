// All probes.
import { destinationRuleProbes } from './destination-rule.js';
import { gatewayProbes } from './gateway.js';
import type { Probe } from './probe.js';
import { virtualServiceProbes } from './virtual-service.js';

export const PROBES: readonly Probe[] = [...gatewayProbes, ...virtualServiceProbes, ...destinationRuleProbes];
