// All probes.
import { destinationRuleProbes } from './destination-rule.js';
import { gatewayProbes } from './gateway.js';
import { kubernetesProbes } from './kubernetes.js';
import { meshConfigProbes } from './mesh-config.js';
import type { Probe } from './probe.js';
import { serviceEntryProbes, workloadEntryProbes } from './service-entry.js';
import { virtualServiceProbes } from './virtual-service.js';

export const PROBES: readonly Probe[] = [
  ...gatewayProbes,
  ...virtualServiceProbes,
  ...destinationRuleProbes,
  ...serviceEntryProbes,
  ...workloadEntryProbes,
  ...kubernetesProbes,
  ...meshConfigProbes,
];
