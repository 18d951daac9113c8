// gRPC without proto files: a service whose messages are bytes, for @grpc/grpc-js on both ends.
import * as grpc from '@grpc/grpc-js';

const bytes = (message: Buffer): Buffer => message;

function method(service: string, name: string, requestStream: boolean, responseStream: boolean) {
  return {
    path: `/${service}/${name}`,
    requestStream,
    responseStream,
    requestSerialize: bytes,
    requestDeserialize: bytes,
    responseSerialize: bytes,
    responseDeserialize: bytes,
  };
}

/** `Unary`, `Collect` (client streams), `Spread` (server streams) and `Chat` (both) of a service by that name. */
export function byteService(service: string): grpc.ServiceDefinition {
  return {
    Unary: method(service, 'Unary', false, false),
    Collect: method(service, 'Collect', true, false),
    Spread: method(service, 'Spread', false, true),
    Chat: method(service, 'Chat', true, true),
  };
}

/** What the methods look like on a client. */
export interface ByteClient extends grpc.Client {
  Unary(
    message: Buffer,
    metadata: grpc.Metadata,
    options: Partial<grpc.CallOptions>,
    done: grpc.requestCallback<Buffer>,
  ): grpc.ClientUnaryCall;
  Collect(
    metadata: grpc.Metadata,
    options: Partial<grpc.CallOptions>,
    done: grpc.requestCallback<Buffer>,
  ): grpc.ClientWritableStream<Buffer>;
  Spread(
    message: Buffer,
    metadata: grpc.Metadata,
    options?: Partial<grpc.CallOptions>,
  ): grpc.ClientReadableStream<Buffer>;
  Chat(metadata: grpc.Metadata, options?: Partial<grpc.CallOptions>): grpc.ClientDuplexStream<Buffer, Buffer>;
}

/** A client of that service. Closed by the caller. */
export function byteClient(
  service: string,
  address: string,
  credentials: grpc.ChannelCredentials,
  options: grpc.ClientOptions = {},
): ByteClient {
  const Client = grpc.makeGenericClientConstructor(byteService(service), service);
  return new Client(address, credentials, options) as unknown as ByteClient;
}

/** How a unary call ended. */
export interface UnaryOutcome {
  readonly code: grpc.status;
  /** The status's text; '' when OK. */
  readonly details: string;
  readonly body: Buffer | undefined;
  readonly headers: grpc.Metadata | undefined;
  readonly trailers: grpc.Metadata | undefined;
}

/** Calls `Unary` and tells all that came back. */
export function callUnary(
  client: ByteClient,
  message: Buffer,
  metadata: grpc.Metadata = new grpc.Metadata(),
  options: Partial<grpc.CallOptions> = {},
): Promise<UnaryOutcome> {
  return new Promise((resolve) => {
    let headers: grpc.Metadata | undefined;
    let outcome: { code: grpc.status; details: string; body: Buffer | undefined } | undefined;
    const call = client.Unary(message, metadata, options, (error, body) => {
      outcome = { code: error?.code ?? grpc.status.OK, details: error?.details ?? '', body };
    });
    call.on('metadata', (received) => {
      headers = received;
    });
    call.on('status', ({ metadata: trailers }) => {
      // The callback may come behind the status.
      setImmediate(() => {
        resolve({ code: -1 as grpc.status, details: '', body: undefined, ...outcome, headers, trailers });
      });
    });
  });
}
