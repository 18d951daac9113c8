import t from 'tap';
import { AnswerReader } from '../../../src/cli/bench/answer-reader.js';

/** In one piece, and cut at every place: only the last byte completes it. */
function check(title: string, method: string, text: string, status: number): void {
  t.test(title, async (t) => {
    const bytes = Buffer.from(text, 'latin1');
    t.equal(new AnswerReader(method).push(bytes), status);
    for (let cut = 1; cut < bytes.length; cut++) {
      const reader = new AnswerReader(method);
      t.equal(reader.push(bytes.subarray(0, cut)), undefined, `${cut} bytes are not enough`);
      t.equal(reader.push(bytes.subarray(cut)), status, `cut at ${cut}`);
    }
  });
}

check('a body of a length', 'GET', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok', 200);
check('no body', 'POST', 'HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n', 404);
check('in chunks', 'GET', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n', 200);
check('HEAD has no body', 'HEAD', 'HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n', 200);
check('neither has 304', 'GET', 'HTTP/1.1 304 Not Modified\r\netag: x\r\n\r\n', 304);
check(
  'what comes before the answer',
  'GET',
  'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\ncontent-length: 1\r\n\r\nx',
  201,
);

t.test('one answer after the other', async (t) => {
  const reader = new AnswerReader('GET');
  const answer = Buffer.from('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
  t.equal(reader.push(answer), 200);
  t.equal(reader.push(answer), 200);
});
