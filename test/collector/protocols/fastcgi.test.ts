import { describe, expect, it } from 'vitest';
import { fastcgi } from '../../../collector/protocols/fastcgi/index.ts';
import { inferProtocol } from '../../../collector/protocols/index.ts';
import { REQUEST, RESPONSE } from '../../../collector/protocols/protocol.ts';
import {
  CONVERSATIONS,
  fcgi,
  fcgiAnswer,
  fcgiBegin,
  fcgiEnd,
  fcgiPairs,
  fcgiParams,
  fcgiRequest,
  piece,
} from './conversations.ts';
import type { Driven, Piece } from './drive.ts';
import { drive, outline } from './drive.ts';

/** The capture of one system call: the first `captured` bytes of what it moved. */
const captured = (one: Piece, bytes = 512): Piece => ({
  ...one,
  bytes: one.bytes.subarray(0, bytes),
  full: one.bytes.length,
});
const ask = (method: string, uri: string, body = ''): Piece => piece(REQUEST, fcgiRequest(method, uri, body));
const answer = (status: string, body?: string): Piece => piece(RESPONSE, fcgiAnswer(status, body));
const run = (...pieces: readonly Piece[]): Driven => drive(fastcgi, pieces);
const withParams = (params: Readonly<Record<string, string>>, role = 1): Piece =>
  piece(REQUEST, fcgiBegin(1, role), fcgi(4, fcgiPairs(params)), fcgi(4), fcgi(5));
const operationOf = (one: Piece): string | undefined => run(one, answer('')).calls[0]?.operation;

describe('fastcgi', () => {
  it('names, judges and times every call of a kept connection', () => {
    const driven = drive(fastcgi, CONVERSATIONS.fastcgi);
    expect(outline(driven)).toEqual([
      'GET /orders/{id} 200',
      'POST /orders 404',
      'PUT /items/{id} 503 503',
      'GET /full OVERLOADED OVERLOADED',
      'GET /left none timeout',
    ]);
    expect(driven.calls.map(({ failed }) => failed)).toEqual([false, false, true, true, true]);
    expect(driven.calls.map(({ startMs, endMs }) => endMs - startMs)).toEqual([10, 10, 30, 10, 20]);
    expect(driven.losses).toEqual({ requests: 0, responses: 0, bytes: 0 });
  });

  it('counts the bytes of both ways, without the record that ends an empty body', () => {
    const request = fcgiRequest('GET', '/a');
    const response = fcgiAnswer('');
    expect(run(piece(REQUEST, request), piece(RESPONSE, response)).calls[0]).toMatchObject({
      requestBytes: request.length - 8,
      responseBytes: response.length,
    });
  });

  it.each([
    ['GET', '/orders/17?a=/b/c', 'GET /orders/{id}'],
    ['HEAD', '/', 'HEAD /'],
    ['PROPFIND', '/dav', 'PROPFIND /dav'],
    ['OPTIONS', '*', 'OPTIONS *'],
    ['get', '/lower', '/lower'],
    [`${'LONG'.repeat(10)}`, '/x', '/x'],
  ])('%s %s is %s', (method, uri, operation) => expect(operationOf(ask(method, uri))).toBe(operation));

  it.each([
    [{ REQUEST_METHOD: 'GET', SCRIPT_NAME: '/s.php', DOCUMENT_URI: '/d', REQUEST_URI: '/r' }, 'GET /r'],
    [{ SCRIPT_NAME: '/s.php', DOCUMENT_URI: '/d/8', REQUEST_METHOD: 'GET' }, 'GET /d/{id}'],
    [{ SCRIPT_NAME: '/s.php', DOCUMENT_URI: '', REQUEST_METHOD: 'GET' }, 'GET /s.php'],
    [{ SCRIPT_FILENAME: '/var/www/s.php', REQUEST_METHOD: 'DELETE' }, 'DELETE'],
    [{ SCRIPT_FILENAME: '/var/www/s.php', SCRIPT_NAME: '/s.php' }, '/s.php'],
    [{ SCRIPT_FILENAME: '/var/www/s.php' }, 'RESPONDER'],
    [{}, 'RESPONDER'],
  ])('of %j makes %s', (params, operation) => expect(operationOf(withParams(params as never))).toBe(operation));

  it('names an authorizer and a filter by their role when nothing else is known', () => {
    expect(operationOf(withParams({}, 2))).toBe('AUTHORIZER');
    expect(operationOf(withParams({}, 3))).toBe('FILTER');
  });

  it.each([
    // Behind 16 bytes of BEGIN_REQUEST and 8 of the header of PARAMS.
    ['a query that is cut', { REQUEST_METHOD: 'GET', REQUEST_URI: `/a/7?${'q'.repeat(900)}` }, 'GET /a/{id}'],
    [
      'a path that is cut, with a script before it',
      { REQUEST_METHOD: 'GET', SCRIPT_NAME: '/i.php', REQUEST_URI: `/a/${'b/'.repeat(400)}` },
      'GET /i.php',
    ],
    ['a path that is cut', { REQUEST_METHOD: 'GET', REQUEST_URI: `/a/${'b/'.repeat(400)}` }, 'GET'],
    [
      'a long query before all but the method',
      { REQUEST_METHOD: 'GET', QUERY_STRING: 'q'.repeat(900), REQUEST_URI: '/a' },
      'GET',
    ],
    [
      'a long query before all',
      { QUERY_STRING: 'q'.repeat(900), REQUEST_METHOD: 'GET', REQUEST_URI: '/a' },
      'RESPONDER',
    ],
    [
      'long params behind what is wanted',
      { REQUEST_METHOD: 'POST', REQUEST_URI: '/a', HTTP_COOKIE: 'c'.repeat(2000) },
      'POST /a',
    ],
  ])('falls back to what is known for %s', (_, params, operation) => {
    const driven = run(captured(withParams(params as never)), answer('500 Oops'), ask('GET', '/next'), answer(''));
    expect(outline(driven)).toEqual([`${operation} 500 500`, 'GET /next 200']);
    expect(driven.losses.requests).toBe(0);
  });

  it('tells of a call in flight whose params were not captured to their end', () => {
    const long = withParams({ REQUEST_METHOD: 'GET', REQUEST_URI: '/hangs', HTTP_COOKIE: 'c'.repeat(2000) });
    for (const isServer of [false, true]) {
      const { layer } = drive(fastcgi, [captured(long)], { isServer });
      const seen: unknown[] = [];
      layer.forEachUnanswered(9, (operation, fromMs) => seen.push([operation, fromMs]));
      expect(seen).toEqual([]);
      layer.forEachUnanswered(2_000, (operation, fromMs) => seen.push([operation, fromMs]));
      expect(seen).toEqual([['GET /hangs', 10]]);
    }
  });

  it('follows a server that reads header and content apart, and the end of the input after it answered', () => {
    const request = fcgiRequest('GET', '/a', '');
    const params = request.length - 16;
    const reads = [8, 16, 24, params, params + 8].map((to, i, all) =>
      captured(piece(REQUEST, request.subarray(all[i - 1] ?? 0, to))),
    );
    const last = piece(REQUEST, request.subarray(params + 8));
    const driven = drive(fastcgi, [...reads, answer(''), last, ...reads, answer('404'), last], { isServer: true });
    expect(outline(driven)).toEqual(['GET /a 200', 'GET /a 404']);
    // From the read that ends the params to the write of the answer.
    expect(driven.calls.map(({ startMs, endMs }) => [startMs, endMs])).toEqual([
      [50, 60],
      [120, 130],
    ]);
  });

  it('lets a server call begin when what is posted was read, and other bodies be read as the work goes on', () => {
    const timed = (method: string): unknown => {
      const head = [fcgiBegin(), fcgi(4, fcgiParams(method, '/b', { CONTENT_LENGTH: '10' })), fcgi(4)];
      const pieces = [
        piece(REQUEST, ...head),
        piece(REQUEST, fcgi(5, '12345')),
        piece(REQUEST, fcgi(5, '67890')),
        answer(''),
        piece(REQUEST, fcgi(5)),
      ];
      const [call] = drive(fastcgi, pieces, { isServer: true }).calls;
      return [call?.startMs, call?.endMs];
    };
    expect(timed('POST')).toEqual([30, 40]);
    expect(timed('PUT')).toEqual([10, 40]);
  });

  it('skips a body by the lengths of its records, captured or not', () => {
    const parts = [fcgi(6, `Status: 201 Created\r\n\r\n${'z'.repeat(4000)}`), fcgi(6, 'z'.repeat(60_000)), fcgiEnd()];
    const driven = run(ask('GET', '/big'), ...parts.map((part) => captured(piece(RESPONSE, part))), ask('GET', '/b'));
    expect(outline(driven)).toEqual(['GET /big 201']);
    expect(driven.calls[0]).toMatchObject({ endMs: 40, responseBytes: Buffer.concat(parts).length });
    expect(driven.losses).toEqual({ requests: 0, responses: 0, bytes: 0 });
  });

  it('ends a response whose last records were not captured with the next request, when it is idle, or with the connection', () => {
    const big = captured(answer('500 Oops', 'z'.repeat(5000)));
    const more = captured(piece(RESPONSE, fcgi(6, 'z'.repeat(5000)), fcgiEnd()));
    const next = run(ask('GET', '/big'), big, more, ask('GET', '/next'), answer(''));
    expect(outline(next)).toEqual(['GET /big 500 500', 'GET /next 200']);
    expect(next.calls[0]?.endMs).toBe(30);

    const idle = run(ask('GET', '/big'), big, more);
    expect(idle.calls).toEqual([]);
    idle.layer.finishIdle(30);
    expect(idle.calls).toEqual([]);
    idle.layer.finishIdle(31);
    expect(idle.calls[0]).toMatchObject({ status: '500', startMs: 10, endMs: 30 });

    const closed = run(ask('GET', '/big'), big, more);
    closed.layer.close(90, 'connection_closed');
    expect(outline(closed)).toEqual(['GET /big 500 500']);
    expect(closed.losses.requests).toBe(0);
  });

  it('reads the first response after one that was not captured to its end, whatever it begins with', () => {
    const big = captured(answer('', 'z'.repeat(5000)));
    const warned = piece(RESPONSE, fcgi(7, 'PHP message: careful'), fcgiAnswer('404 Not Found'));
    const refused = piece(RESPONSE, fcgiEnd(2));
    const driven = run(
      ask('GET', '/a'),
      big,
      ask('GET', '/b'),
      warned,
      ask('GET', '/c'),
      big,
      ask('GET', '/d'),
      refused,
    );
    expect(outline(driven)).toEqual(['GET /a 200', 'GET /b 404', 'GET /c 200', 'GET /d OVERLOADED OVERLOADED']);
  });

  it('reports a response cut short', () => {
    const cut = run(ask('GET', '/a'), piece(RESPONSE, fcgiAnswer('').subarray(0, 60)));
    cut.layer.close(90, 'connection_reset');
    expect(outline(cut)).toEqual(['GET /a 200 connection_reset']);
    const silent = run(ask('GET', '/b'));
    silent.layer.close(90, 'connection_closed');
    expect(outline(silent)).toEqual(['GET /b none connection_closed']);
  });

  it.each([
    ['', '200'],
    ['Status: 404 Not Found\r\n', '404'],
    ['X-A: b\r\nSTATUS:301\r\n', '301'],
    ['Location: /there\r\n', '302'],
    ['Location: /there\r\nStatus: 201 Created\r\n', '201'],
    ['Status: what\r\n', '200'],
    ['X-Status: 500\r\n', '200'],
  ])('of the header lines %j makes %s', (lines, status) => {
    const head = fcgi(6, `${lines}Content-type: text/html\r\n\r\nStatus: 500 of the body`);
    expect(run(ask('GET', '/a'), piece(RESPONSE, head, fcgiEnd())).calls[0]?.status).toBe(status);
  });

  it('reads a header block that is spread over records and cut by the capture', () => {
    const spread = [...'Status: 418 Teapot\r\n\r\n'].map((letter) => fcgi(6, letter));
    expect(outline(run(ask('GET', '/a'), piece(RESPONSE, ...spread, fcgiEnd())))).toEqual(['GET /a 418']);
    const cookies = fcgi(6, `${'Set-Cookie: a=b\r\n'.repeat(60)}\r\n`);
    expect(outline(run(ask('GET', '/a'), captured(piece(RESPONSE, cookies, fcgiEnd())), ask('GET', '/b')))).toEqual([
      'GET /a 200',
    ]);
  });

  const fatal = (length: number): Buffer =>
    fcgi(7, `PHP message: PHP Fatal error:  Uncaught Error: x in /a.php:1\n${'#0 /b.php(1)\n'.repeat(length)}`);

  it('reads the status behind what STDERR says, and takes a fatal error for a failure where it cannot', () => {
    const seen = piece(RESPONSE, fatal(3), fcgiAnswer('500 Internal Server Error', ''));
    expect(outline(run(ask('GET', '/a'), seen))).toEqual(['GET /a 500 500']);
    const unseen = captured(piece(RESPONSE, fatal(60), fcgiAnswer('500 Internal Server Error', '')));
    const driven = run(ask('GET', '/a'), unseen, ask('GET', '/b'), answer(''));
    expect(outline(driven)).toEqual(['GET /a unknown fatal_error', 'GET /b 200']);
    expect(driven.calls[0]?.failed).toBe(true);
    const warning = fcgi(7, `PHP message: PHP Warning:  ${'careful '.repeat(90)}`);
    const warned = run(ask('GET', '/a'), captured(piece(RESPONSE, warning, fcgiAnswer(''))), ask('GET', '/b'));
    expect(outline(warned)).toEqual(['GET /a unknown']);
    expect(warned.calls[0]?.failed).toBe(false);
  });

  it('learns the status after a long STDERR that was written by itself', () => {
    const pieces = [captured(piece(RESPONSE, fatal(60))), captured(answer('500 Oops', 'z'.repeat(3000)))];
    expect(outline(run(ask('GET', '/a'), ...pieces, ask('GET', '/b')))).toEqual(['GET /a 500 500']);
    const fine = [captured(piece(RESPONSE, fatal(60))), answer('')];
    expect(outline(run(ask('GET', '/a'), ...fine))).toEqual(['GET /a 200']);
  });

  it.each([
    [1, 'CANT_MPX_CONN'],
    [2, 'OVERLOADED'],
    [3, 'UNKNOWN_ROLE'],
    [9, 'PROTOCOL_STATUS_9'],
  ])('protocol status %i is the error %s', (value, name) => {
    const driven = run(ask('GET', '/a'), piece(RESPONSE, fcgiEnd(value)));
    expect(outline(driven)).toEqual([`GET /a ${name} ${name}`]);
    expect(driven.calls[0]?.failed).toBe(true);
  });

  it('takes a request that ended without a header for failed, an aborted one for given up', () => {
    expect(outline(run(ask('GET', '/a'), piece(RESPONSE, fcgi(6), fcgiEnd())))).toEqual(['GET /a none empty_response']);
    const head = fcgi(6, 'Content-type: text/html\r\n\r\n');
    const driven = run(
      ask('GET', '/a'),
      piece(RESPONSE, head),
      piece(REQUEST, fcgi(2)),
      piece(RESPONSE, fcgiEnd()),
      ask('GET', '/b'),
      answer(''),
    );
    expect(outline(driven)).toEqual(['GET /a 200 timeout', 'GET /b 200']);
  });

  it('steps over management records', () => {
    const values = fcgi(9, fcgiPairs({ FCGI_MAX_CONNS: '' }), 0);
    const result = fcgi(10, fcgiPairs({ FCGI_MAX_CONNS: '5' }), 0);
    const unknown = fcgi(11, Buffer.alloc(8), 0);
    const driven = run(
      piece(REQUEST, values, fcgiRequest('GET', '/a'), values),
      piece(RESPONSE, result, fcgi(7, 'words'), unknown, fcgiAnswer('204 No Content', ''), result),
    );
    expect(outline(driven)).toEqual(['GET /a 204']);
    expect(driven.losses).toEqual({ requests: 0, responses: 0, bytes: 0 });
  });

  it.each([
    ['params of another id', [piece(REQUEST, fcgiBegin(1), fcgi(4, 'x', 2))]],
    ['a request within a request', [piece(REQUEST, fcgiBegin(1), fcgi(4, fcgiParams('POST', '/')), fcgiBegin(2))]],
    ['an answer to another id', [ask('GET', '/a'), piece(RESPONSE, fcgi(6, 'A: b\r\n\r\n', 2))]],
    [
      'requests at the same time',
      [
        piece(REQUEST, fcgiRequest('GET', '/a', '', 1), fcgiRequest('GET', '/b', '', 2)),
        piece(RESPONSE, fcgi(6, 'A: b\r\n\r\n', 1)),
      ],
    ],
  ])('stops at multiplexed ids, and counts what it gives up: %s', (_, pieces) => {
    const driven = run(...pieces, ask('GET', '/next'), answer(''));
    expect(driven.calls).toEqual([]);
    expect(driven.layer.stopped).toBe(true);
    expect(driven.losses.requests).toBeGreaterThan(0);
  });

  it('follows ids that change from request to request', () => {
    const driven = run(
      ...[1, 2, 700].flatMap((id) => [
        piece(REQUEST, fcgiRequest('GET', `/${'abc'[id % 3]}`, '', id)),
        piece(RESPONSE, fcgi(6, 'A: b\r\n\r\n', id), fcgiEnd(0, id)),
      ]),
    );
    expect(outline(driven)).toEqual(['GET /b 200', 'GET /c 200', 'GET /b 200']);
  });

  it('begins in the middle of a connection', () => {
    const driven = run(
      piece(RESPONSE, fcgi(6, 'the end of something'), fcgiEnd()),
      piece(REQUEST, fcgi(5)),
      ask('GET', '/a'),
      answer(''),
    );
    expect(outline(driven)).toEqual(['GET /a 200']);
  });

  it('does not take the rest of a lost response for one', () => {
    const { calls, losses, layer } = run(ask('GET', '/a'));
    layer.gap(RESPONSE, 500, 20);
    const rest = Buffer.concat([fcgi(6, 'no header here: <p>'), fcgiEnd()]);
    layer.feed(RESPONSE, rest, 0, rest.length, rest.length, 30);
    layer.close(40, 'connection_closed');
    expect(calls).toEqual([]);
    expect(losses.requests).toBe(1);
  });

  it('tells no wrong outcome whatever the capture, and loses no request uncounted', () => {
    const statuses = ['500 Oops', '', '404 Not Found', '503 Busy'];
    const pieces = statuses.flatMap((status, i) => [
      ask(i % 2 === 0 ? 'GET' : 'POST', `/a${'b'.repeat(i)}?q=1`, i % 2 === 0 ? '' : 'x'.repeat(40)),
      piece(RESPONSE, fcgi(7, `notice ${'n'.repeat(30 * i)}`), fcgiAnswer(status, 'z'.repeat(100))),
    ]);
    const right = statuses.map((status) => status.slice(0, 3) || '200');
    for (let bytes = 8; bytes < 400; bytes++) {
      for (const isServer of [false, true]) {
        const all = pieces.map((one) => captured(one, bytes));
        const { calls, losses, layer } = drive(fastcgi, all, { isServer });
        layer.close(1000, 'connection_closed');
        const what = `${bytes} bytes captured`;
        expect(calls.length + losses.requests, what).toBe(bytes < 10 ? 0 : statuses.length);
        for (const { status, startMs, endMs, errorType } of calls) {
          const expected = right[(startMs - (startMs % 20)) / 20];
          expect(['unknown', expected], what).toContain(status);
          expect(endMs - startMs, what).toBe(10);
          expect(errorType, what).toBe(status >= '500' && status !== 'unknown' ? status : undefined);
        }
      }
    }
  });

  it('is told by the record that begins a request, and by nothing else', () => {
    const begin = fcgiBegin();
    expect(inferProtocol(begin, 0, begin.length)).toMatchObject({ protocol: { name: 'fastcgi' }, flow: REQUEST });
    for (const [at, value] of [
      [0, 2],
      [1, 4],
      [5, 9],
      [6, 1],
      [7, 1],
      [8, 1],
      [9, 0],
      [9, 4],
    ] as const) {
      const other = Buffer.from(begin);
      other[at] = value;
      expect(inferProtocol(other, 0, other.length)?.protocol.name, `byte ${at} = ${value}`).not.toBe('fastcgi');
    }
    expect(inferProtocol(fcgiAnswer(''), 0, 100)).toBeUndefined();
  });
});
