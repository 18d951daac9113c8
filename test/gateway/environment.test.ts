// The real environment where it differs from Node's own functions.
import t from 'tap';
import { createEnvironment } from '../../src/gateway/environment.js';
import { until } from '../support/data-plane.js';

const environment = createEnvironment(() => ({ address: '127.0.0.1', ports: new Map() }));

t.test('a timer may be longer than setTimeout can count', async (t) => {
  const warnings: string[] = [];
  const onWarning = (warning: Error): void => void warnings.push(warning.name);
  process.on('warning', onWarning);
  t.teardown(() => process.off('warning', onWarning));
  const fired: string[] = [];
  // A duration of a month is legal wherever Istio takes one.
  const month = environment.setTimer(30 * 24 * 3_600_000, () => fired.push('month'));
  environment.setTimer(20, () => fired.push('soon'));
  await until(() => fired.length > 0, 'the short one');
  t.same(fired, ['soon']);
  t.same(warnings, []);
  month.cancel();
});
