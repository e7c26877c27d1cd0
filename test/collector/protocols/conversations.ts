/** Builders of protocol messages, and one long conversation per protocol for the cutting tests. */
import type { Flow } from '../../../collector/protocols/protocol.ts';
import { REQUEST, RESPONSE } from '../../../collector/protocols/protocol.ts';
import type { Piece } from './drive.ts';
import { text } from './drive.ts';
import { HTTP2 } from './http2/conversation.ts';

export const piece = (flow: Flow, ...parts: readonly Buffer[]): Piece => ({ flow, bytes: Buffer.concat(parts) });

/** PostgreSQL: a typed message. */
export function pg(type: string, ...fields: readonly (string | Buffer)[]): Buffer {
  const body = Buffer.concat(fields.map((field) => (typeof field === 'string' ? Buffer.from(`${field}\0`) : field)));
  const head = Buffer.alloc(5);
  head.write(type, 0, 'latin1');
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

export const int16 = (value: number): Buffer => Buffer.from([value >> 8, value & 255]);
export const int32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};
export const pgStartup = (): Buffer => {
  const body = Buffer.concat([int32(196608), Buffer.from('user\0u\0database\0d\0\0')]);
  return Buffer.concat([int32(body.length + 4), body]);
};
export const pgSsl = (): Buffer => Buffer.concat([int32(8), int32(80877103)]);
export const pgReady = (): Buffer => pg('Z', Buffer.from('I'));
export const pgError = (code: string, severity = 'ERROR'): Buffer =>
  pg('E', `S${severity}`, `V${severity}`, `C${code}`, 'Mtext', Buffer.from([0]));
export const pgRow = (value: string): Buffer => pg('D', int16(1), int32(value.length), Buffer.from(value));
export const pgExtended = (statement: string, sql?: string): Buffer =>
  Buffer.concat([
    ...(sql === undefined ? [] : [pg('P', statement, sql, int16(0))]),
    pg('B', '', statement, int16(0), int16(1), int32(2), Buffer.from('42'), int16(0)),
    pg('D', Buffer.from('P\0')),
    pg('E', '', int32(0)),
    pg('S'),
  ]);

/** MySQL: a packet. */
export function my(sequence: number, ...parts: readonly (string | Buffer)[]): Buffer {
  const body = Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part)));
  const head = Buffer.alloc(4);
  head.writeUIntLE(body.length, 0, 3);
  head[3] = sequence;
  return Buffer.concat([head, body]);
}
export const bytes = (...values: readonly number[]): Buffer => Buffer.from(values);
export const myGreeting = (): Buffer => my(0, bytes(10), '11.4.2-MariaDB\0', Buffer.alloc(60, 1));
export const myLogin = (): Buffer => my(1, bytes(0x85, 0xa6, 0x3f, 0x00), Buffer.alloc(28), 'root\0', bytes(0));
export const myOk = (sequence: number, flags = 2): Buffer => my(sequence, bytes(0, 1, 0, flags, 0, 0, 0));
export const myEof = (sequence: number, flags = 2): Buffer => my(sequence, bytes(0xfe, 0, 0, flags, 0));
export const myError = (sequence: number, code: number, state: string): Buffer =>
  my(sequence, bytes(0xff, code & 255, code >> 8), `#${state}Some message`);
export const myColumn = (sequence: number): Buffer => my(sequence, bytes(3), 'def', Buffer.alloc(20));
export const myQuery = (sql: string): Buffer => my(0, bytes(3), sql);
export const myResult = (rows: number, deprecateEof = false): Buffer => {
  const parts = [my(1, bytes(1)), myColumn(2)];
  let sequence = 3;
  if (!deprecateEof) parts.push(myEof(sequence++));
  for (let i = 0; i < rows; i++) parts.push(my(sequence++ & 255, bytes(2), '42'));
  parts.push(deprecateEof ? my(sequence & 255, bytes(0xfe, 0, 0, 2, 0, 0, 0)) : myEof(sequence & 255));
  return Buffer.concat(parts);
};
export const myPrepared = (id: number): Buffer =>
  Buffer.concat([my(1, bytes(0, id, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0)), myColumn(2), myEof(3), myColumn(4), myEof(5)]);

/** FastCGI: a record; its padding fills it to 8 bytes, as real servers do. */
export function fcgi(type: number, content: string | Buffer = '', id = 1): Buffer {
  const body = Buffer.from(content as string);
  const padding = -body.length & 7;
  const head = bytes(1, type, id >> 8, id & 255, body.length >> 8, body.length & 255, padding, 0);
  return Buffer.concat([head, body, Buffer.alloc(padding, 0x7a)]);
}
export const fcgiLength = (length: number): Buffer =>
  length < 128 ? bytes(length) : bytes((length >>> 24) | 128, length >> 16, length >> 8, length);
export const fcgiPairs = (params: Readonly<Record<string, string>>): Buffer =>
  Buffer.concat(
    Object.entries(params).flatMap(([name, value]) => [
      fcgiLength(name.length),
      fcgiLength(value.length),
      Buffer.from(name + value, 'latin1'),
    ]),
  );
export const fcgiBegin = (id = 1, role = 1, keep = 1): Buffer => fcgi(1, bytes(0, role, keep, 0, 0, 0, 0, 0), id);
/** In the order of Debian's fastcgi_params. */
export const fcgiParams = (method: string, uri: string, more: Readonly<Record<string, string>> = {}): Buffer =>
  fcgiPairs({
    QUERY_STRING: uri.split('?')[1] ?? '',
    REQUEST_METHOD: method,
    CONTENT_TYPE: '',
    CONTENT_LENGTH: '',
    SCRIPT_NAME: '/index.php',
    REQUEST_URI: uri,
    DOCUMENT_URI: '/index.php',
    ...more,
  });
/** A whole request; `body` is its standard input. */
export const fcgiRequest = (method: string, uri: string, body = '', id = 1): Buffer =>
  Buffer.concat([
    fcgiBegin(id),
    fcgi(4, fcgiParams(method, uri, { CONTENT_LENGTH: body === '' ? '' : String(body.length) }), id),
    fcgi(4, '', id),
    ...(body === '' ? [] : [fcgi(5, body, id)]),
    fcgi(5, '', id),
  ]);
/** END_REQUEST; what is reserved holds anything, as PHP leaves it. */
export const fcgiEnd = (protocolStatus = 0, id = 1): Buffer =>
  fcgi(3, bytes(0, 0, 0, 0, protocolStatus, 0x7a, 0x7a, 0x7a), id);
export const fcgiAnswer = (status: string, body = 'hello'): Buffer =>
  Buffer.concat([
    fcgi(
      6,
      `${status === '' ? '' : `Status: ${status}\r\n`}X-Powered-By: PHP\r\nContent-type: text/html\r\n\r\n${body}`,
    ),
    fcgiEnd(),
  ]);

export const resp = (...words: readonly string[]): string =>
  `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`;

const HTTP: readonly Piece[] = [
  text(REQUEST, 'GET /a/1?q=2 HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\nHEAD /b HTTP/1.1\r\n\r\n'),
  text(RESPONSE, 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab\r\nc\r\n1\r\nx\r\n0\r\nT: 1\r\n\r\n'),
  text(RESPONSE, 'HTTP/1.1 404 Not Found\r\nContent-Length: 12\r\n\r\n'),
  text(REQUEST, 'POST /c HTTP/1.1\r\nContent-Length: 11\r\nExpect: 100-continue\r\n\r\n'),
  text(RESPONSE, 'HTTP/1.1 100 Continue\r\n\r\n'),
  text(REQUEST, 'hello\r\nyou!'),
  text(RESPONSE, 'HTTP/1.1 500 Oops\r\ncontent-length:  3 \r\nConnection: keep-alive\r\n\r\nbad'),
  text(REQUEST, 'PUT /d HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n'),
  text(RESPONSE, 'HTTP/1.1 204 No Content\r\n\r\n'),
  text(REQUEST, 'GET /e HTTP/1.0\r\n\r\n'),
  text(RESPONSE, 'HTTP/1.0 200 OK\r\n\r\nuntil close'),
];

const POSTGRESQL: readonly Piece[] = [
  piece(REQUEST, pgSsl()),
  text(RESPONSE, 'N'),
  piece(REQUEST, pgStartup()),
  piece(RESPONSE, pg('R', int32(5), Buffer.from('salt'))),
  piece(REQUEST, pg('p', 'secret')),
  piece(RESPONSE, pg('R', int32(0)), pg('S', 'TimeZone', 'UTC'), pg('K', int32(1), int32(2)), pgReady()),
  piece(REQUEST, pg('Q', "SELECT * FROM t WHERE a = 'x' AND b IN (1,2,3)")),
  piece(RESPONSE, pg('T', int16(1), Buffer.alloc(30)), pgRow('one'), pgRow('two'), pg('C', 'SELECT 2'), pgReady()),
  piece(REQUEST, pgExtended('s1', 'UPDATE t SET a = $1 WHERE id = $2')),
  piece(RESPONSE, pg('1'), pg('2'), pg('n'), pg('C', 'UPDATE 1'), pgReady()),
  piece(REQUEST, pgExtended('s1')),
  piece(RESPONSE, pg('2'), pg('N', 'SNOTICE', Buffer.from([0])), pgError('40P01'), pgReady()),
  piece(REQUEST, pg('Q', 'COPY t FROM STDIN')),
  piece(RESPONSE, pg('G', bytes(0), int16(0))),
  piece(REQUEST, pg('d', Buffer.from('1\t2\n')), pg('c')),
  piece(RESPONSE, pg('C', 'COPY 1'), pgReady()),
  piece(RESPONSE, pg('S', 'application_name', 'x')),
  piece(REQUEST, pg('Q', 'SELECT 1')),
  piece(RESPONSE, pgError('57P01', 'FATAL')),
];

const MYSQL: readonly Piece[] = [
  piece(RESPONSE, myGreeting()),
  piece(REQUEST, myLogin()),
  piece(RESPONSE, my(2, bytes(0xfe), 'mysql_native_password\0', Buffer.alloc(20, 7))),
  piece(REQUEST, my(3, Buffer.alloc(20, 9))),
  piece(RESPONSE, myOk(4)),
  piece(REQUEST, myQuery("SELECT * FROM t WHERE a = 'it''s' AND b = 5")),
  piece(RESPONSE, myResult(3)),
  piece(REQUEST, myQuery('SELECT 1')),
  piece(RESPONSE, myResult(0, true)),
  piece(REQUEST, my(0, bytes(0x16), 'INSERT INTO t VALUES (?)')),
  piece(RESPONSE, myPrepared(7)),
  piece(REQUEST, my(0, bytes(0x17, 7, 0, 0, 0, 0, 1, 0, 0, 0))),
  piece(RESPONSE, myOk(1)),
  piece(REQUEST, my(0, bytes(0x17, 7, 0, 0, 0, 0, 1, 0, 0, 0))),
  piece(RESPONSE, myError(1, 1205, 'HY000')),
  piece(REQUEST, my(0, bytes(0x19, 7, 0, 0, 0)), my(0, bytes(0x0e))),
  piece(RESPONSE, myOk(1)),
  piece(REQUEST, my(0, bytes(0x01))),
];

const REDIS: readonly Piece[] = [
  text(REQUEST, resp('HELLO', '3')),
  text(RESPONSE, '%2\r\n$6\r\nserver\r\n$5\r\nredis\r\n$5\r\nproto\r\n:3\r\n'),
  text(
    REQUEST,
    resp('SET', 'k', 'v'.repeat(50)) + resp('GET', 'k') + resp('get', 'missing') + resp('CONFIG', 'GET', 'x'),
  ),
  text(RESPONSE, `+OK\r\n$50\r\n${'v'.repeat(50)}\r\n`),
  text(RESPONSE, '_\r\n>2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n*2\r\n$1\r\nx\r\n$1\r\ny\r\n'),
  text(REQUEST, 'PING\r\n'),
  text(RESPONSE, '+PONG\r\n'),
  text(REQUEST, resp('EXEC') + resp('INCR', 'k') + resp('MGET', 'a', 'b') + resp('LLEN', 'l')),
  text(RESPONSE, '*3\r\n:1\r\n*2\r\n+a\r\n*0\r\n-ERR inner\r\n-WRONGTYPE Operation\r\n*2\r\n$-1\r\n$0\r\n\r\n,1.5\r\n'),
];

const FASTCGI: readonly Piece[] = [
  piece(REQUEST, fcgi(9, fcgiPairs({ FCGI_MPXS_CONNS: '' }), 0), fcgiRequest('GET', '/orders/17?x=1')),
  piece(RESPONSE, fcgi(10, fcgiPairs({ FCGI_MPXS_CONNS: '0' }), 0), fcgiAnswer('')),
  piece(REQUEST, fcgiRequest('POST', '/orders', 'a=b&c=d')),
  piece(RESPONSE, fcgiAnswer('404 Not Found', '')),
  piece(
    REQUEST,
    fcgiBegin(),
    ...(() => {
      const params = fcgiParams('PUT', '/items/9', { HTTP_COOKIE: 'c'.repeat(300), CONTENT_LENGTH: '900' });
      return [fcgi(4, params.subarray(0, 40)), fcgi(4, params.subarray(40)), fcgi(4)];
    })(),
    fcgi(5, 'b'.repeat(700)),
    fcgi(5, 'b'.repeat(200)),
    fcgi(5),
  ),
  piece(RESPONSE, fcgi(7, 'PHP message: PHP Warning:  careful'), fcgi(6, 'Content-type: text/plain\r\nStatus: 5')),
  piece(RESPONSE, fcgi(6, '03 Busy\r\n\r\n'), fcgi(7, 'more words'), fcgi(6, 'x'.repeat(500)), fcgi(6), fcgi(7)),
  piece(RESPONSE, fcgiEnd()),
  piece(REQUEST, fcgiRequest('GET', '/full')),
  piece(RESPONSE, fcgiEnd(2)),
  piece(REQUEST, fcgiBegin(), fcgi(4, fcgiParams('GET', '/left')), fcgi(4)),
  piece(REQUEST, fcgi(2)),
  piece(RESPONSE, fcgiEnd()),
];

export const CONVERSATIONS = {
  http: HTTP,
  http2: HTTP2,
  postgresql: POSTGRESQL,
  mysql: MYSQL,
  redis: REDIS,
  fastcgi: FASTCGI,
} as const;
