// HTTP on downstream connections (spec dataplane.md §3): one HttpConnection each, one router and one set of upstream
// pools for all.
import { decideRequest } from '../../decide/decide-request.js';
import { Codecs } from '../codec/select-codec.js';
import type { DataPlaneContext, DownstreamConnection, HttpServer } from '../downstream-connection.js';
import { LiveSet } from '../live-set.js';
import { Router } from '../router/router.js';
import { HttpPools } from '../upstream/http-pools.js';
import { HttpConnection, type HttpServices } from './http-connection.js';

/**
 * Serves HTTP on every connection that is handed over; a stream takes the newest snapshot when it starts.
 *
 *     const server = createHttpServer({ environment, current: () => running, observer });
 *     server.accept(connection); // from the listener, once the transport socket is up
 */
export function createHttpServer(context: DataPlaneContext): HttpServer {
  const pools = new HttpPools(context.environment);
  const services: HttpServices = {
    context,
    codecs: new Codecs(),
    router: new Router(context.environment, pools),
    decide: decideRequest,
  };
  const connections = new LiveSet<HttpConnection>();
  return {
    accept: (downstream: DownstreamConnection) => {
      const connection = new HttpConnection(services, downstream, () => connections.delete(connection));
      connections.add(connection);
      connection.start();
    },
    closeAll: () => {
      for (const connection of [...connections]) connection.closeIdle();
      pools.close();
    },
  };
}
