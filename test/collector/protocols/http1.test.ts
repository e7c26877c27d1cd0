import { describe, expect, it } from 'vitest';
import { http1 } from '../../../collector/protocols/http1/index.ts';
import { httpOperation, routeTemplate } from '../../../collector/protocols/http1/operation.ts';
import { REQUEST, RESPONSE } from '../../../collector/protocols/protocol.ts';
import { drive, outline, text } from './drive.ts';

const get = (path: string, more = '') => text(REQUEST, `GET ${path} HTTP/1.1\r\nHost: a\r\n${more}\r\n`);
const ok = (body = '', more = '') =>
  text(RESPONSE, `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n${more}\r\n${body}`);

describe('route templates', () => {
  it.each([
    ['/', '/'],
    ['', '/'],
    ['/products', '/products'],
    ['/products/42', '/products/{id}'],
    ['/products/42?x=1#y', '/products/{id}'],
    ['/v1/orders/6fa459ea-ee8a-3ca4-894e-db77e160355e/items', '/v1/orders/{id}/items'],
    ['/blob/deadbeef01', '/blob/{id}'],
    ['/feedback', '/feedback'],
    ['/order-1234/x', '/order-{id}/x'],
    ['/static/app.1a2b3c4d.js', '/static/app.1a2b3c4d.js'],
    ['/u/5f3aZk29xQ1b7', '/u/{id}'],
    ['/a%20b/c', '/{id}/c'],
    ['http://host:80/x/1', '/x/{id}'],
    ['*', '*'],
    ['/1/2/3/4/5/6/7/8/9/10', '/{id}/{id}/{id}/{id}/{id}/{id}/{id}/{id}/…'],
  ])('%s -> %s', (target, template) => expect(routeTemplate(target)).toBe(template));

  it('leaves out the authority of CONNECT', () => expect(httpOperation('CONNECT', 'host:443')).toBe('CONNECT'));
});

describe('http1', () => {
  it('counts keep-alive requests with duration and bytes', () => {
    const driven = drive(http1, [get('/a'), ok('hello'), get('/b/7'), ok()]);
    expect(outline(driven)).toEqual(['GET /a 200', 'GET /b/{id} 200']);
    expect(driven.calls[0]).toMatchObject({ startMs: 10, endMs: 20, requestBytes: 28, responseBytes: 43 });
  });

  it('matches pipelined requests in order', () => {
    const requests = Buffer.concat([get('/a').bytes, get('/b').bytes, get('/c').bytes]);
    const responses = Buffer.concat([
      ok('1').bytes,
      text(RESPONSE, 'HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n').bytes,
    ]);
    const driven = drive(http1, [
      { flow: REQUEST, bytes: requests },
      { flow: RESPONSE, bytes: responses },
      text(RESPONSE, 'HTTP/1.1 503 X\r\nContent-Length: 2\r\n\r\nno'),
    ]);
    expect(outline(driven)).toEqual(['GET /a 200', 'GET /b 404', 'GET /c 503 503']);
    expect(driven.calls.map((call) => call.failed)).toEqual([false, false, true]);
  });

  it('reads chunked bodies with extensions and trailers, both ways', () => {
    const driven = drive(http1, [
      text(REQUEST, 'POST /up HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4;a=b\r\nGET \r\n0\r\n\r\n'),
      text(RESPONSE, 'HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\nA\r\nHTTP/1.1 5\r\n'),
      text(RESPONSE, '2\r\nxx\r\n0\r\nX-Sum: 1\r\nY: 2\r\n\r\n'),
      get('/next'),
      ok(),
    ]);
    expect(outline(driven)).toEqual(['POST /up 200', 'GET /next 200']);
    expect(driven.calls[0]?.endMs).toBe(30);
  });

  it('gives no body to HEAD, 1xx, 204 and 304', () => {
    const driven = drive(http1, [
      text(REQUEST, 'HEAD /h HTTP/1.1\r\n\r\n'),
      text(RESPONSE, 'HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n'),
      get('/n'),
      text(RESPONSE, 'HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n'),
      get('/m'),
      text(RESPONSE, 'HTTP/1.1 304 Not Modified\r\nContent-Length: 50\r\n\r\n'),
      get('/last'),
      ok('x'),
    ]);
    expect(outline(driven)).toEqual(['HEAD /h 200', 'GET /n 204', 'GET /m 304', 'GET /last 200']);
  });

  it('reads a body until the connection closes', () => {
    const driven = drive(http1, [
      get('/old'),
      text(RESPONSE, 'HTTP/1.0 200 OK\r\n\r\nHTTP/1.1 500 fake'),
      text(RESPONSE, 'more'),
    ]);
    expect(driven.calls).toEqual([]);
    driven.layer.close(90, 'connection_closed');
    expect(outline(driven)).toEqual(['GET /old 200']);
    expect(driven.calls[0]?.endMs).toBe(30);
  });

  it('follows Expect: 100-continue, with and without the body being sent', () => {
    const expecting = text(REQUEST, 'PUT /f HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n');
    const sent = drive(http1, [
      expecting,
      text(RESPONSE, 'HTTP/1.1 100 Continue\r\n\r\n'),
      text(REQUEST, '12345'),
      ok(),
    ]);
    expect(outline(sent)).toEqual(['PUT /f 200']);
    const refused = drive(http1, [
      expecting,
      text(RESPONSE, 'HTTP/1.1 413 Big\r\nContent-Length: 0\r\n\r\n'),
      get('/b'),
      ok(),
    ]);
    expect(outline(refused)).toEqual(['PUT /f 413', 'GET /b 200']);
  });

  it('stops at an upgrade', () => {
    const driven = drive(http1, [
      get('/ws', 'Connection: Upgrade\r\nUpgrade: websocket\r\n'),
      text(RESPONSE, 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n'),
      text(RESPONSE, 'HTTP/1.1 200 OK\r\n\r\n'),
      get('/not-http'),
    ]);
    expect(outline(driven)).toEqual(['GET /ws 101']);
    expect(driven.layer.stopped).toBe(true);
  });

  it('skips bodies that were not captured (sendfile) by their length', () => {
    const head = Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n');
    const driven = drive(http1, [
      get('/file'),
      { flow: RESPONSE, bytes: head, full: head.length },
      { flow: RESPONSE, bytes: Buffer.alloc(0), full: 60_000 },
      { flow: RESPONSE, bytes: Buffer.from('HTTP/1.1 500 in the body'), full: 40_000 },
      get('/next'),
      ok(),
    ]);
    expect(outline(driven)).toEqual(['GET /file 200', 'GET /next 200']);
    expect(driven.calls[0]).toMatchObject({ endMs: 40, responseBytes: 100_000 + head.length });
  });

  it('resynchronises when the framing of a chunked body was not captured', () => {
    const head = Buffer.from('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n');
    const driven = drive(http1, [
      get('/chunked'),
      { flow: RESPONSE, bytes: head, full: head.length + 5000 },
      { flow: RESPONSE, bytes: Buffer.from('rest of it'), full: 3000 },
      get('/next'),
      ok(),
    ]);
    expect(outline(driven)).toEqual(['GET /chunked 200', 'GET /next 200']);
    expect(driven.calls[0]?.endMs).toBe(30);
    expect(driven.losses.requests).toBe(0);
  });

  it('counts a request whose head was cut, and what follows', () => {
    const long = Buffer.from(`GET /cut HTTP/1.1\r\nCookie: ${'x'.repeat(400)}`);
    const driven = drive(http1, [{ flow: REQUEST, bytes: long, full: 3000 }, ok(), get('/next'), ok()]);
    expect(outline(driven)).toEqual(['GET /cut 200', 'GET /next 200']);
  });

  it('tells of a request in flight whose head was cut, from its last bytes on', () => {
    const long = Buffer.from(`GET /cut HTTP/1.1\r\nCookie: ${'x'.repeat(400)}`);
    const pieces = [
      { flow: REQUEST, bytes: long, full: 3000 },
      { flow: REQUEST, bytes: Buffer.from('the rest of it'), full: 500 },
    ] as const;
    const waiting = (isServer: boolean, beforeMs: number): unknown[] => {
      const seen: unknown[] = [];
      drive(http1, pieces, { isServer }).layer.forEachUnanswered(beforeMs, (_, fromMs) => seen.push(fromMs));
      return seen;
    };
    expect([waiting(false, 19), waiting(false, 20), waiting(true, 20)]).toEqual([[], [10], [20]]);
  });

  it('counts requests behind an upgrade as lost', () => {
    const driven = drive(http1, [
      text(REQUEST, 'GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\nGET /behind HTTP/1.1\r\n\r\n'),
      text(RESPONSE, 'HTTP/1.1 101 Switching Protocols\r\n\r\n'),
    ]);
    expect([outline(driven), driven.losses.requests]).toEqual([['GET /ws 101'], 1]);
  });

  it('counts what was lost and never invents a failure for it', () => {
    const driven = drive(http1, [get('/a')]);
    driven.layer.gap(RESPONSE, 500, 50);
    driven.layer.feed(REQUEST, get('/b').bytes, 0, get('/b').bytes.length, get('/b').bytes.length, 60);
    driven.layer.feed(RESPONSE, ok().bytes, 0, ok().bytes.length, ok().bytes.length, 70);
    driven.layer.close(90, 'connection_reset');
    expect(outline(driven)).toEqual(['GET /b 200']);
    expect(driven.losses.requests).toBe(1);
  });

  it('reports what waits when the connection ends, and a response cut short', () => {
    const waiting = drive(http1, [get('/a'), get('/b')]);
    waiting.layer.close(90, 'connection_reset');
    expect(outline(waiting)).toEqual(['GET /a none connection_reset', 'GET /b none connection_reset']);
    const cut = drive(http1, [get('/a'), text(RESPONSE, 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345')]);
    cut.layer.close(90, 'connection_closed');
    expect(outline(cut)).toEqual(['GET /a 200 connection_closed']);
    expect(cut.calls[0]?.failed).toBe(true);
  });

  it('reports a timeout once, and not again when the response comes late', () => {
    const driven = drive(http1, [get('/slow')]);
    driven.layer.expire(50, 600);
    driven.layer.feed(RESPONSE, ok().bytes, 0, ok().bytes.length, ok().bytes.length, 700);
    expect(outline(driven)).toEqual(['GET /slow none timeout']);
    expect(driven.layer.pendingCount).toBe(0);
  });

  it('takes a request whose answer went by unseen for lost, neither for one that waits nor for a timeout', () => {
    const driven = drive(http1, [get('/a')]);
    const rest = Buffer.from('the end of a body');
    driven.layer.gap(RESPONSE, 100, 20);
    driven.layer.feed(RESPONSE, rest, 0, rest.length, rest.length, 20);
    const waiting: string[] = [];
    driven.layer.forEachUnanswered(5_000, (operation) => waiting.push(operation));
    driven.layer.expire(50_000, 60_000);
    expect([waiting, outline(driven), driven.losses.requests]).toEqual([[], [], 1]);
    // What is asked afterwards is known to wait.
    const next = get('/b').bytes;
    driven.layer.feed(REQUEST, next, 0, next.length, next.length, 70_000);
    driven.layer.forEachUnanswered(75_000, (operation) => waiting.push(operation));
    driven.layer.expire(80_000, 130_000);
    expect([waiting, outline(driven), driven.losses.requests]).toEqual([['GET /b'], ['GET /b none timeout'], 1]);
  });

  it('lets a server call begin when the request was read in full', () => {
    const pieces = [text(REQUEST, 'POST /p HTTP/1.1\r\nContent-Length: 4\r\n\r\n12'), text(REQUEST, '34'), ok('done')];
    expect(drive(http1, pieces, { isServer: true }).calls[0]).toMatchObject({ startMs: 20, endMs: 30 });
    expect(drive(http1, pieces).calls[0]).toMatchObject({ startMs: 10, endMs: 30 });
  });

  it('accepts a response reported just before its request, and drops older ones', () => {
    const early = drive(http1, [ok(), get('/a')], { stepMs: 1 });
    expect(outline(early)).toEqual(['GET /a 200']);
    const stale = drive(http1, [ok(), get('/a')]);
    expect(stale.calls).toEqual([]);
    expect(stale.losses.responses).toBe(1);
  });

  it.each(['GET / HTTP/1.1\r\n', 'POST /x', 'HTTP/1.1 200 OK'])('infers %j', (head) =>
    expect(http1.infer(Buffer.from(head), 0, head.length)).toBe(head.startsWith('HTTP') ? RESPONSE : REQUEST),
  );
  it.each(['GET key\r\n', '*1\r\n', 'GETX / HTTP/1.1\r\n', '\x00\x01'])('does not infer %j', (head) =>
    expect(http1.infer(Buffer.from(head), 0, head.length)).toBeUndefined(),
  );
});
