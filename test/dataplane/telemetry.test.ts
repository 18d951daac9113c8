// Access log formats and statistics (spec dataplane.md §7, §8.2, §9).
import t from 'tap';
import {
  compileAccessLog,
  compileJsonFormat,
  compileTextFormat,
} from '../../src/dataplane/telemetry/access-log-format.js';
import { AccessLogSink } from '../../src/dataplane/telemetry/access-log-sink.js';
import { counter, gauge, renderClusters, renderPrometheus, renderStats } from '../../src/dataplane/telemetry/stats.js';
import { StreamInfo } from '../../src/dataplane/telemetry/stream-info.js';
import { createClusterManager } from '../../src/dataplane/upstream/clusters.js';
import { statsFilter } from '../../src/gateway/stats-filter.js';
import type { AccessLogSettings } from '../../src/xds/index.js';
import { cluster, endpoint, loopbackEnvironment, snapshot } from '../support/data-plane.js';

const START = Date.UTC(2026, 7, 1, 10, 0, 0, 123);

function info(changes: Partial<StreamInfo> = {}): StreamInfo {
  const made = new StreamInfo(START);
  made.endTime = START + 5;
  made.downstreamLocal = { address: '10.1.0.5', port: 8443 };
  made.downstreamRemote = { address: '203.0.113.7', port: 50412 };
  Object.assign(made, changes);
  return made;
}

const HTTP = info({
  method: 'GET',
  path: '/x?a=1',
  protocol: 'HTTP/2',
  status: 200,
  details: 'via_upstream',
  bytesSent: 512,
  upstreamServiceTime: '4',
  forwardedFor: '203.0.113.7',
  userAgent: 'curl/8.9.1',
  requestId: '0b3c6f0e-6f0e-4c1d-9a55-5d8a3f0c2f11',
  authority: 'a.example.com',
  upstreamHost: '10.1.2.3:8080',
  upstreamCluster: 'outbound|80||web.shop.svc.cluster.local',
  upstreamLocalAddress: '10.1.0.5:41234',
  requestedServerName: 'a.example.com',
  requestHeaders: ['x-team', 'blue "one"'],
  responseHeaders: ['x-served-by', 'web'],
});
const TCP = info({ bytesReceived: 1843, requestedServerName: 'p.example.com' });
TCP.setFlag('UF');
TCP.setFlag('URX');
TCP.upstreamTransportFailureReason = 'delayed connect error: Connection refused';

function checkLine(name: string, settings: AccessLogSettings, of: StreamInfo, want: string): void {
  const compiled = compileAccessLog(settings);
  t.equal(compiled.kind === 'line' ? compiled.write(of) : compiled.reason, want, name);
}

checkLine(
  'default text, HTTP',
  {},
  HTTP,
  '[2026-08-01T10:00:00.123Z] "GET /x?a=1 HTTP/2" 200 - via_upstream - "-" 0 512 5 4 "203.0.113.7" "curl/8.9.1" "0b3c6f0e-6f0e-4c1d-9a55-5d8a3f0c2f11" "a.example.com" "10.1.2.3:8080" outbound|80||web.shop.svc.cluster.local 10.1.0.5:41234 10.1.0.5:8443 203.0.113.7:50412 a.example.com -\n',
);
checkLine(
  'default text, TCP',
  { format: '' },
  TCP,
  '[2026-08-01T10:00:00.123Z] "- - -" 0 UF,URX - - "delayed_connect_error:_Connection_refused" 1843 0 5 - "-" "-" "-" "-" "-" - - 10.1.0.5:8443 203.0.113.7:50412 p.example.com -\n',
);
checkLine(
  'default JSON: keys in order, numbers, null',
  { encoding: 'JSON' },
  TCP,
  '{"authority":null,"bytes_received":1843,"bytes_sent":0,"connection_termination_details":null,"downstream_local_address":"10.1.0.5:8443","downstream_remote_address":"203.0.113.7:50412","duration":5,"method":null,"path":null,"protocol":null,"request_id":null,"requested_server_name":"p.example.com","response_code":0,"response_code_details":null,"response_flags":"UF,URX","route_name":null,"start_time":"2026-08-01T10:00:00.123Z","upstream_cluster":null,"upstream_host":null,"upstream_local_address":null,"upstream_service_time":null,"upstream_transport_failure_reason":"delayed_connect_error:_Connection_refused","user_agent":null,"x_forwarded_for":null}\n',
);
checkLine(
  'custom text',
  { format: '%REQ(X-TEAM)% %RESP(x-served-by)% %REQ(:METHOD?X)% 100%% %PROTOCOL%' },
  HTTP,
  'blue "one" web GET 100% HTTP/2\n',
);
checkLine('length and alternatives', { format: '%REQ(NONE?USER-AGENT):4%|%REQ(NONE)%' }, HTTP, 'curl|-\n');
checkLine('time', { format: '%START_TIME(%Y/%m/%d %H:%M:%S)%' }, HTTP, '2026/08/01 10:00:00\n');
checkLine(
  'long flags, ports',
  {
    format:
      '%RESPONSE_FLAGS_LONG% %DOWNSTREAM_REMOTE_PORT% %DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT% %UPSTREAM_REMOTE_PORT%',
  },
  TCP,
  'UpstreamConnectionFailure,UpstreamRetryLimitExceeded 50412 10.1.0.5 -\n',
);
checkLine(
  'filters that a gateway does not have',
  { format: '%DYNAMIC_METADATA(a:b)% %FILTER_STATE(x)%' },
  HTTP,
  '- -\n',
);
checkLine('unknown operator', { format: '%FOO%' }, HTTP, 'Not supported field in StreamInfo: FOO');
checkLine(
  'custom JSON',
  { encoding: 'JSON', format: '{"b":"%RESPONSE_CODE%","a":{"x":"<%REQ(X-TEAM)%>","n":[1,"%REQ(NONE)%"]}}' },
  HTTP,
  '{"a":{"n":[1,null],"x":"<blue \\"one\\">"},"b":200}\n',
);
t.equal(compileJsonFormat('nonsense').kind, 'refused');
t.equal(compileTextFormat('%START_TIME').kind, 'refused', 'a percent sign that nothing closes');

t.test('the sink collects, writes within 20 ms, and keeps its format when a new one is refused', async (t) => {
  const written: string[] = [];
  let wake = (): void => {};
  const sink = new AccessLogSink('text', {
    write: (text) => {
      written.push(text);
      wake();
    },
  });
  sink.configure({ format: '%RESPONSE_CODE%' });
  t.match(sink.configure({ format: '%BAR%' }), /Not supported field in StreamInfo: BAR/);
  sink.finished(HTTP);
  sink.finished(TCP);
  t.same(written, [], 'not yet');
  await new Promise<void>((resolve) => {
    wake = resolve;
    // The sink's own timer does not keep the process alive; this one does.
    setTimeout(resolve, 1000).unref();
    sink.finished(TCP);
    const keep = setInterval(() => {}, 5);
    wake = () => {
      clearInterval(keep);
      resolve();
    };
  });
  t.same(written, ['200\n0\n0\n']);
  sink.finished(HTTP);
  sink.flush();
  t.equal(written.length, 2);
  const json = new AccessLogSink('json', { write: () => {} });
  t.match(json.configure({ format: '%RESPONSE_CODE%' }), /for text lines/);
  t.equal(json.configure({ format: '{"code": "%RESPONSE_CODE%"}', encoding: 'JSON' }), undefined);
  const off = new AccessLogSink('off', { write: () => t.fail('nothing is written') });
  off.finished(HTTP);
  off.flush();
});

t.test('statistics', (t) => {
  counter('cluster.outbound|80||web.shop.svc.cluster.local;.upstream_rq_200').value += 5;
  gauge('listener.0.0.0.0_8443.downstream_cx_active').value = 2;
  t.match(
    renderStats(statsFilter('upstream_rq_200')),
    'cluster.outbound|80||web.shop.svc.cluster.local;.upstream_rq_200: 5\n',
  );
  t.equal(
    renderStats(statsFilter('^listener\\.0\\.0\\.0\\.0_8443\\.downstream_cx_active$')),
    'listener.0.0.0.0_8443.downstream_cx_active: 2\n',
  );
  const prometheus = renderPrometheus();
  t.ok(prometheus.includes('# TYPE envoy_cluster_upstream_rq counter\n'));
  t.ok(
    prometheus.includes(
      'envoy_cluster_upstream_rq{cluster_name="outbound|80||web.shop.svc.cluster.local",response_code="200"} 5\n',
    ),
  );
  t.ok(prometheus.includes('envoy_listener_downstream_cx_active{listener_address="0.0.0.0_8443"} 2\n'));
  t.end();
});

t.test('/clusters', (t) => {
  const manager = createClusterManager(
    snapshot({ listeners: [], clusterConfigs: [cluster('b'), cluster('a')], clusters: { a: [], b: [endpoint(9)] } }),
    loopbackEnvironment(),
  );
  const lines = renderClusters(manager).split('\n');
  t.equal(lines[0], 'a::observability_name::a');
  t.ok(lines.includes('b::default_priority::max_connections::4294967295'));
  t.ok(lines.includes('b::high_priority::max_retries::3'));
  t.ok(lines.includes('b::127.0.0.1:9::cx_active::0'));
  t.ok(lines.includes('b::127.0.0.1:9::health_flags::healthy'));
  manager.close();
  t.end();
});
