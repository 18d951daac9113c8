// The access log of an exported bootstrap: lines on standard output, in Istio's JSON names unless MeshConfig says otherwise.
import { type AccessLogSettings, DEFAULT_JSON_FORMAT, DEFAULT_TEXT_FORMAT } from '../xds/index.js';
import { type Message, typed } from './proto.js';

/** One logger. `settings.encoding` absent means JSON where no format is given, and text where one is. */
export function exportAccessLog(settings: AccessLogSettings): Message {
  const { format, encoding = format === undefined ? 'JSON' : 'TEXT' } = settings;
  return {
    // Not the file /dev/stdout of Istio's own: that cannot be opened where standard output is a socket or another user's.
    name: 'envoy.access_loggers.stdout',
    typed_config: typed('envoy.extensions.access_loggers.stream.v3.StdoutAccessLog', {
      log_format:
        encoding === 'JSON'
          ? { json_format: format === undefined ? DEFAULT_JSON_FORMAT : (JSON.parse(format) as Message) }
          : { text_format_source: { inline_string: withLineEnd(format ?? DEFAULT_TEXT_FORMAT) } },
    }),
  };
}

function withLineEnd(format: string): string {
  return format.endsWith('\n') ? format : `${format}\n`;
}
