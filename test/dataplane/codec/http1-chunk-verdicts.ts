// What Envoy 1.40 does with these bytes on a plaintext listener, measured with the connection manager of the recordings:
// [what it shows, bytes, outcomes]. An outcome is `METHOD bytes-of-body` of a request that went on to routing (with
// ` incomplete` while more of it was waited for), `STATUS details` of a refused head, both of a refused body, `CONNECT`, or
// `incomplete` for a head of which more was waited for.

/** Chunk sizes, extensions, line ends, trailers. */
export const CHUNKS: readonly (readonly [name: string, bytes: string, outcomes: readonly string[]])[] = [
  [
    'chunk ext',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nhi\r\n0\r\n\r\n',
    ['POST 2'],
  ],
  [
    'chunk ext quoted',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n2;a="b\\"c"\r\nhi\r\n0\r\n\r\n',
    ['POST 2'],
  ],
  [
    'chunk ext quoted crlf',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n2;a="\r\nhi\r\n0\r\n\r\n',
    ['POST 2'],
  ],
  [
    'chunk ext no val',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n2;a\r\nhi\r\n0\r\n\r\n',
    ['POST 2'],
  ],
  [
    'chunk ext only ;',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n2;\r\nhi\r\n0\r\n\r\n',
    ['POST 2'],
  ],
  [
    'chunk ext NUL',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n2;\x00\r\nhi\r\n0\r\n\r\n',
    ['POST 2'],
  ],
  [
    'chunk ext LF',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n2;a\nhi\r\n0\r\n\r\n',
    ['POST 0 400 http1.codec_error'],
  ],
  [
    'chunk ext CR',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n2;a\rb\r\nhi\r\n0\r\n\r\n',
    ['POST 0 400 http1.codec_error'],
  ],
  [
    'chunk ext CR CR LF',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n2;a\r\r\nhi\r\n0\r\n\r\n',
    ['POST 0 400 http1.codec_error'],
  ],
  [
    'chunk ext sp',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n2 ;a\r\nhi\r\n0\r\n\r\n',
    ['POST 2'],
  ],
  [
    'chunk sp trail',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n2  \r\nhi\r\n0\r\n\r\n',
    ['POST 2'],
  ],
  [
    'chunk tab trail',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n2\t\r\nhi\r\n0\r\n\r\n',
    ['POST 2'],
  ],
  [
    'chunk sp lead',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n 2\r\nhi\r\n0\r\n\r\n',
    ['POST 0 400 http1.codec_error'],
  ],
  [
    'chunk tab lead',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n\t2\r\nhi\r\n0\r\n\r\n',
    ['POST 0 400 http1.codec_error'],
  ],
  [
    'chunk sp junk',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n2 x\r\nhi\r\n0\r\n\r\n',
    ['POST 2'],
  ],
  [
    'chunk sp digits',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n2 3\r\nhi\r\n0\r\n\r\n',
    ['POST 2'],
  ],
  [
    'chunk junk',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n2x\r\nhi\r\n0\r\n\r\n',
    ['POST 0 400 http1.codec_error'],
  ],
  [
    'chunk junk g',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n2g\r\nhi\r\n0\r\n\r\n',
    ['POST 0 400 http1.codec_error'],
  ],
  [
    'chunk zeros',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n0000000002\r\nhi\r\n0\r\n\r\n',
    ['POST 2'],
  ],
  [
    'chunk zeros 17',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n00000000000000002\r\nhi\r\n0\r\n\r\n',
    ['POST 2'],
  ],
  [
    'chunk zeros 40',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n00000000000000000000000000000000000000002\r\nhi\r\n0\r\n\r\n',
    ['POST 2'],
  ],
  [
    'chunk last zeros',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n000\r\n\r\n',
    ['POST 2'],
  ],
  [
    'chunk last zeros 40',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0000000000000000000000000000000000000000\r\n\r\n',
    ['POST 2'],
  ],
  [
    'chunk caps',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\nA\r\n0123456789\r\n0\r\n\r\n',
    ['POST 10'],
  ],
  [
    'chunk lc',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n0\r\n\r\n',
    ['POST 10'],
  ],
  [
    'chunk 16 f',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nhi',
    ['POST 2 incomplete'],
  ],
  [
    'chunk 17 f',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nhi',
    ['POST 0 400 http1.codec_error'],
  ],
  [
    'chunk 16 8',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n8000000000000000\r\nhi',
    ['POST 2 incomplete'],
  ],
  [
    'chunk 15 f',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffff\r\nhi',
    ['POST 2 incomplete'],
  ],
  [
    'chunk overflow wrap',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000002\r\nhi\r\n0\r\n\r\n',
    ['POST 0 400 http1.codec_error'],
  ],
  [
    'chunk 0x',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n0x2\r\nhi\r\n0\r\n\r\n',
    ['POST 0 400 http1.codec_error'],
  ],
  [
    'chunk +',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n+2\r\nhi\r\n0\r\n\r\n',
    ['POST 0 400 http1.codec_error'],
  ],
  [
    'chunk -',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n-2\r\nhi\r\n0\r\n\r\n',
    ['POST 0 400 http1.codec_error'],
  ],
  [
    'chunk _',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n1_0\r\nhi\r\n0\r\n\r\n',
    ['POST 0 400 http1.codec_error'],
  ],
  [
    'chunk empty',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n\r\nhi\r\n0\r\n\r\n',
    ['POST 0 400 http1.codec_error'],
  ],
  [
    'chunk empty ext',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n;a\r\nhi\r\n0\r\n\r\n',
    ['POST 0 400 http1.codec_error'],
  ],
  [
    'chunk lf size',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n2\nhi\r\n0\r\n\r\n',
    ['POST 0 400 http1.codec_error'],
  ],
  [
    'chunk lf data',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\n0\r\n\r\n',
    ['POST 2'],
  ],
  [
    'chunk lf last',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\n\r\n',
    ['POST 2 400 http1.codec_error'],
  ],
  [
    'chunk lf last2',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\n',
    ['POST 2'],
  ],
  [
    'chunk lf last3',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\n\n',
    ['POST 2 400 http1.codec_error'],
  ],
  [
    'chunk cr size',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n2\rhi\r\n0\r\n\r\n',
    ['POST 0 400 http1.codec_error'],
  ],
  [
    'chunk crcr size',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n2\r\r\nhi\r\n0\r\n\r\n',
    ['POST 0 400 http1.codec_error'],
  ],
  [
    'chunk cr data',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r0\r\n\r\n',
    ['POST 0 400 http1.codec_error'],
  ],
  [
    'chunk no crlf data',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi0\r\n\r\n',
    ['POST 0 400 http1.codec_error'],
  ],
  [
    'chunk extra data',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhixx\r\n0\r\n\r\n',
    ['POST 2'],
  ],
  [
    'chunk extra data lf',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhixx\n0\r\n\r\n',
    ['POST 2'],
  ],
  [
    'chunk extra data cr',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhix\rx\r\n0\r\n\r\n',
    ['POST 2'],
  ],
  [
    'chunk extra NUL',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\x00\r\n0\r\n\r\n',
    ['POST 2'],
  ],
  [
    'chunk extra chunk',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi5\r\nabc\r\n0\r\n\r\n',
    ['POST 7 incomplete'],
  ],
  [
    'chunk crlfcrlf data',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n\r\n0\r\n\r\n',
    ['POST 0 400 http1.codec_error'],
  ],
  [
    'chunk NUL size',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n2\x00\r\nhi\r\n0\r\n\r\n',
    ['POST 0 400 http1.codec_error'],
  ],
  [
    'chunk hi size',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n2\xa0\r\nhi\r\n0\r\n\r\n',
    ['POST 0 400 http1.codec_error'],
  ],
  [
    'chunk last ext',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0;x=y\r\n\r\n',
    ['POST 2'],
  ],
  [
    'chunk last sp',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0 \r\n\r\n',
    ['POST 2'],
  ],
  [
    'chunk trailer',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nx: 1\r\n\r\n',
    ['POST 2'],
  ],
  [
    'chunk trailer CL',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nContent-Length: 5\r\n\r\n',
    ['POST 2'],
  ],
  [
    'chunk trailer TE',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n',
    ['POST 2'],
  ],
  [
    'chunk trailer Host',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nHost: b\r\n\r\n',
    ['POST 2'],
  ],
  [
    'chunk trailer no colon',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nxx\r\n\r\n',
    ['POST 2 400 http1.codec_error'],
  ],
  [
    'chunk trailer empty name',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n: x\r\n\r\n',
    ['POST 2 400 http1.codec_error'],
  ],
  [
    'chunk trailer sp name',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nx : 1\r\n\r\n',
    ['POST 2 400 http1.codec_error'],
  ],
  [
    'chunk trailer NUL',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nx: \x00\r\n\r\n',
    ['POST 2 400 http1.invalid_characters'],
  ],
  [
    'chunk trailer ctl',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nx: \x01\r\n\r\n',
    ['POST 2 400 http1.invalid_characters'],
  ],
  [
    'chunk trailer fold',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nx: 1\r\n 2\r\n\r\n',
    ['POST 2'],
  ],
  [
    'chunk trailer fold first',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n x: 1\r\n\r\n',
    ['POST 2 400 http1.codec_error'],
  ],
  [
    'chunk trailer paren',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nx(: 1\r\n\r\n',
    ['POST 2 400 http1.codec_error'],
  ],
  [
    'chunk trailer lf',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nx: 1\n\n',
    ['POST 2'],
  ],
  [
    'chunk trailer lf2',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nx: 1\n\r\n',
    ['POST 2'],
  ],
  [
    'chunk trailer CR',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nx: a\rb\r\n\r\n',
    ['POST 2'],
  ],
  [
    'chunk trailer pseudo',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n:path: /x\r\n\r\n',
    ['POST 2 400 http1.codec_error'],
  ],
  [
    'chunk trailer hi',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nx: \xff\r\n\r\n',
    ['POST 2'],
  ],
  [
    'chunk trailer CL CL',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n',
    ['POST 2'],
  ],
  [
    'chunk then pipelined',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\nGET /2 HTTP/1.1\r\nHost: b\r\n\r\n',
    ['POST 2', 'GET 0'],
  ],
  [
    'last term CR x',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\rx: 1\r\n\r\n',
    ['POST 2'],
  ],
  [
    'last term CR CR LF',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\r\n\r\n',
    ['POST 2'],
  ],
];
