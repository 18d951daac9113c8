// The connection manager that Istio gives a plaintext server when the mesh says nothing.
import type { HttpConnectionManager } from '../../src/xds/index.js';

/** Without HTTP filters and with the route table `http.8080`, unless `changes` say otherwise. */
export function connectionManager(changes: Partial<HttpConnectionManager> = {}): HttpConnectionManager {
  return {
    rds: { config_source: 'ads', route_config_name: 'http.8080' },
    http_filters: [],
    http_protocol_options: {},
    server_name: 'istio-envoy',
    use_remote_address: true,
    forward_client_cert_details: 'SANITIZE_SET',
    upgrade_configs: [{ upgrade_type: 'websocket' }],
    normalize_path: true,
    path_with_escaped_slashes_action: 'KEEP_UNCHANGED',
    ...changes,
  };
}
