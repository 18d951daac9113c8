// What the codecs need of a connection manager's configuration, and of the world.
import type { HttpConnectionManager } from '../../xds/index.js';
import type { Environment } from '../environment.js';

/** Given to a codec once per connection. */
export interface CodecSettings {
  readonly environment: Environment;
  /** TLS on the downstream side. */
  readonly secure: boolean;
  readonly manager: HttpConnectionManager;
}

/** How long a connection waits for the client's FIN once the last reply is out (spec dataplane.md §3.10). */
export const DELAYED_CLOSE = 1000;
