// What marks a gRPC request, how statuses map, and its timeout header (spec dataplane.md §3.8).

/** Exactly `application/grpc`, or `application/grpc+…`. */
export function isGrpcContentType(contentType: string | undefined): boolean {
  return contentType === 'application/grpc' || contentType?.startsWith('application/grpc+') === true;
}

/** How a gRPC-Web client wants its responses: as they are, or base64 part by part. */
export type GrpcWebFormat = 'binary' | 'text';

/** `undefined` = no gRPC-Web request. The format of the response is the client's `accept`, when it says exactly that. */
export function grpcWebFormat(contentType: string | undefined, accept: string | undefined): GrpcWebFormat | undefined {
  if (!/^application\/grpc-web(?:-text)?(?:\+|$)/.test(contentType ?? '')) return undefined;
  return accept === 'application/grpc-web-text' ? 'text' : 'binary';
}

/** gRPC status of a local reply's HTTP status. */
export function httpToGrpcStatus(status: number): number {
  switch (status) {
    case 400:
      return 13;
    case 401:
      return 16;
    case 403:
      return 7;
    case 404:
      return 12;
    case 429:
    case 502:
    case 503:
    case 504:
      return 14;
    default:
      return 2;
  }
}

/** `grpc-message`: bytes outside 0x20..0x7D and `%` as escapes. `text` holds one character per byte. */
export function encodeGrpcMessage(text: string): string {
  return text.replace(/[^\x20-\x7d]|%/g, (character) => {
    return `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
  });
}

const UNITS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 };

/** Whole milliseconds, rounded up; `undefined` = absent or malformed, which is ignored. */
export function parseGrpcTimeout(value: string | undefined): number | undefined {
  const match = /^(\d{1,8})([HMSmun])$/.exec(value ?? '');
  if (match === null) return undefined;
  return Math.ceil(Number(match[1]) * (UNITS[match[2] as string] as number) - 1e-9);
}

const HTTP_OF_GRPC: readonly number[] = [
  200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401,
];

/** The HTTP status that outlier detection counts a gRPC status as (spec destinations.md §10); unknown ones are 500. */
export function grpcToHttpStatus(status: string): number {
  return (/^\d{1,2}$/.test(status) ? HTTP_OF_GRPC[Number(status)] : undefined) ?? 500;
}
