import { describe, expect, it } from 'vitest';
import { http2 } from '../../../../collector/protocols/http2/index.ts';
import { RESPONSE } from '../../../../collector/protocols/protocol.ts';
import { drive, outline } from '../drive.ts';
import { HTTP2 } from './conversation.ts';
import { data, goAway, grpcHead, grpcRequest, message, request, reset } from './frames.ts';
import { DONE, durations, OK, Talk, waiting } from './talk.ts';

describe('http2', () => {
  it('reads a conversation with everything in it', () => {
    const driven = drive(http2, HTTP2);
    expect(outline(driven)).toEqual([
      'GET /a/{id} 200',
      'GET /a/{id} 404',
      'POST /upload 503 503',
      'DELETE /b/{id} 204',
      'shop.Cart/Get OK',
      'shop.Cart/List OK',
      'shop.Cart/Add UNAVAILABLE UNAVAILABLE',
      'GET /slow none timeout',
      'GET /x none INTERNAL_ERROR',
      'GET /last 200',
    ]);
    expect(driven.layer.pendingCount).toBe(0);
    expect(driven.losses).toEqual({ requests: 0, responses: 0, bytes: 0 });
  });

  it('tells times and bytes of each stream', () => {
    const talk = new Talk().get(1, '/a').get(3, '/b');
    talk.answer(talk.reply(3, false, OK), data(3, '12345', false));
    talk.answer(talk.reply(1, true, OK)).answer(data(3, '678'));
    const [first, second] = talk.drive().calls;
    expect(first).toMatchObject({ operation: 'GET /a', startMs: 30, endMs: 60, responseBytes: 10 });
    // HEADERS whose fields are all indexed by now, but for the path.
    expect(second).toMatchObject({ operation: 'GET /b', startMs: 40, endMs: 70, requestBytes: 16, responseBytes: 36 });
  });

  it('lets a server call begin when the request was read in full', () => {
    const talk = new Talk();
    talk
      .ask(talk.client.headers(1, false, ...request('POST', '/up')))
      .ask(data(1, 'x', false))
      .ask(data(1, 'y'));
    talk.answer(talk.reply(1, true, OK));
    expect(talk.drive(true).calls[0]).toMatchObject({ startMs: 50, endMs: 60 });
    expect(talk.drive(false).calls[0]).toMatchObject({ startMs: 30, endMs: 60 });
  });

  it('accepts a response that is reported before its request', () => {
    const talk = new Talk();
    const question = talk.client.headers(1, false, ...grpcRequest('/a.B/C'));
    talk.unary(1, '5').ask(question, data(1, message('q')));
    const driven = talk.drive();
    expect(outline(driven)).toEqual(['a.B/C NOT_FOUND']);
    expect(driven.layer.pendingCount).toBe(0);
  });

  it('skips what was not captured of bodies', () => {
    const talk = new Talk().get(1, '/big').get(3, '/next');
    talk.answerCut(200, talk.reply(1, false, OK), data(1, 'x'.repeat(16000), false));
    talk.answer(data(1, 'x'.repeat(10), true), talk.reply(3, true, OK));
    const driven = talk.drive();
    expect(outline(driven)).toEqual(['GET /big 200', 'GET /next 200']);
    expect(driven.losses.bytes).toBe(0);
  });
});

describe('an announced length', () => {
  const told = (length: string, ...bodies: readonly Buffer[]) => {
    const talk = new Talk().get(1, '/a');
    talk.answer(talk.reply(1, false, [':status', '200'], ['content-length', length]), ...bodies);
    return talk.drive().calls.map(({ status, errorType, endMs }) => [status, errorType, endMs]);
  };

  it('ends an answer whose client leaves with its last byte', () => {
    expect(told('5', data(1, '123', false), data(1, '45', false))).toEqual([['200', undefined, 40]]);
  });

  it('tells an answer once that its server ends, too', () => {
    expect(told('3', data(1, '123', false), data(1, '', true))).toEqual([['200', undefined, 40]]);
  });

  it.each(['6', '4', '', 'five', '-5', '1e3'])('of "%s" bytes does not end an answer of five', (length) => {
    expect(told(length, data(1, '12345', false))).toEqual([]);
  });
});

describe('gRPC', () => {
  it.each([
    ['0', 'OK', false],
    ['1', 'CANCELLED', false],
    ['2', 'UNKNOWN', true],
    ['3', 'INVALID_ARGUMENT', false],
    ['4', 'DEADLINE_EXCEEDED', true],
    ['5', 'NOT_FOUND', false],
    ['8', 'RESOURCE_EXHAUSTED', false],
    ['12', 'UNIMPLEMENTED', true],
    ['13', 'INTERNAL', true],
    ['14', 'UNAVAILABLE', true],
    ['15', 'DATA_LOSS', true],
    ['16', 'UNAUTHENTICATED', false],
    ['99', 'UNKNOWN', true],
  ])('names status %s %s', (code, status, failed) => {
    const [seen] = new Talk().grpc(1, 'shop.Cart/Get').unary(1, code).drive().calls;
    expect(seen).toMatchObject({ operation: 'shop.Cart/Get', status, failed, errorType: failed ? status : undefined });
  });

  it('is told under its own name, and HTTP under its', () => {
    const talk = new Talk().grpc(1, 'a.B/C').unary(1, '0').get(3, '/x');
    talk.answer(talk.reply(3, true, OK));
    expect(talk.drive().calls.map(({ protocol }) => protocol)).toEqual(['grpc', 'http']);
  });

  it('gives what is none of gRPC a code by its HTTP status', () => {
    const talk = new Talk().grpc(1, 'a.B/C').grpc(3, 'a.B/D').grpc(5, 'a.B/E');
    talk.answer(talk.reply(1, false, [':status', '503'], ['content-type', 'text/html']), data(1, 'down'));
    talk
      .answer(talk.reply(3, true, [':status', '404']))
      .answer(talk.reply(5, false, ...grpcHead), data(5, message('')));
    expect(outline(talk.drive())).toEqual([
      'a.B/C UNAVAILABLE UNAVAILABLE',
      'a.B/D UNIMPLEMENTED UNIMPLEMENTED',
      'a.B/E UNKNOWN UNKNOWN',
    ]);
  });

  it('takes gRPC-Web for HTTP', () => {
    const talk = new Talk();
    talk.ask(
      talk.client.headers(1, true, ...request('POST', '/a.B/C', ['content-type', 'application/grpc-web+proto'])),
    );
    talk.answer(talk.reply(1, true, OK));
    expect(outline(talk.drive())).toEqual(['POST /a.B/C 200']);
  });

  it('lets a call of one message last to its end, and a stream to its first message', () => {
    const talk = new Talk().grpc(1, 'durations.Orders/Get').grpc(3, 'durations.Orders/List');
    talk.answer(talk.reply(1, false, ...grpcHead), data(1, message('all'), false));
    talk.answer(talk.reply(3, false, ...grpcHead), data(3, message('one'), false));
    talk
      .answer(data(3, message('two'), false))
      .answer(talk.reply(1, true, DONE))
      .answer(talk.reply(3, true, DONE));
    expect(durations(talk.drive())).toEqual(['durations.Orders/Get 50', 'durations.Orders/List 20']);
    expect(talk.drive().calls[1]?.endMs).toBe(90);
  });

  it('sees a conversation, whose answers begin before the question is over, as a stream', () => {
    const talk = new Talk();
    talk.ask(talk.client.headers(1, false, ...grpcRequest('/chat.Room/Talk')), data(1, message('hi'), false));
    expect(waiting(talk.drive(), 60_000)).toEqual([]);
    talk
      .answer(talk.reply(1, false, ...grpcHead))
      .ask(data(1, message('more'), false))
      .ask(data(1, ''));
    talk.answer(talk.reply(1, true, DONE));
    expect(durations(talk.drive())).toEqual(['chat.Room/Talk 10']);
    expect(durations(talk.drive(true))).toEqual(['chat.Room/Talk 10']);
  });

  it('tells a stream that goes on for minutes once, as answered, by when it began', () => {
    const talk = new Talk().grpc(1, 'feed.Prices/Follow');
    talk.answer(talk.reply(1, false, ...grpcHead), data(1, message('one'), false));
    const driven = talk.drive();
    driven.layer.expire(50, 60_050);
    driven.layer.expire(70_000, 130_000);
    driven.layer.close(200_000, 'connection_reset');
    expect(outline(driven)).toEqual(['feed.Prices/Follow OK']);
    expect(durations(driven)).toEqual(['feed.Prices/Follow 10']);
  });

  it('knows methods that wait by their nature: by their name, or by an earlier stream', () => {
    const learn = new Talk().grpc(1, 'learnt.Topic/Subscribe');
    const asked = learn.drive();
    expect(waiting(asked, 5_000)).toEqual(['grpc learnt.Topic/Subscribe']);
    learn.answer(learn.reply(1, false, ...grpcHead), data(1, message('a'), false), data(1, message('b'), false));
    learn.drive();
    const talk = new Talk().grpc(1, 'learnt.Topic/Subscribe').grpc(3, 'grpc.health.v1.Health/Watch').grpc(5, 'a.B/C');
    const driven = talk.drive();
    expect(waiting(driven, 5_000)).toEqual(['grpc a.B/C']);
    driven.layer.expire(5_000, 65_000);
    expect(outline(driven)).toEqual(['a.B/C none timeout']);
    driven.layer.close(70_000, 'timeout');
    expect(driven.calls).toHaveLength(1);
  });

  it('takes a client that leaves a response that has begun for one that has had enough', () => {
    const talk = new Talk().grpc(1, 'a.B/C').grpc(3, 'a.B/D');
    talk.answer(talk.reply(1, false, ...grpcHead), data(1, message('one'), false)).ask(reset(1, 8), reset(3, 8));
    expect(durations(talk.drive())).toEqual(['a.B/C 20', 'a.B/D 20']);
    talk.pieces.splice(-1, 0, { flow: RESPONSE, bytes: Buffer.alloc(0) });
    expect(durations(talk.drive())).toEqual(['a.B/C 20', 'a.B/D 30']);
    expect(outline(talk.drive())).toEqual(['a.B/C CANCELLED', 'a.B/D none timeout']);
    expect(outline(talk.drive(true))).toEqual(['a.B/C CANCELLED', 'a.B/D none connection_closed']);
  });
});

describe('ends', () => {
  it.each([
    [2, 'INTERNAL_ERROR'],
    [7, 'REFUSED_STREAM'],
    [11, 'ENHANCE_YOUR_CALM'],
    [99, 'UNKNOWN_ERROR'],
  ])('fails what the server resets with %i', (code, name) => {
    const talk = new Talk().get(1, '/a').get(3, '/b');
    talk.answer(talk.reply(1, false, OK), reset(1, code), reset(3, code));
    expect(outline(talk.drive())).toEqual([`GET /a 200 ${name}`, `GET /b none ${name}`]);
  });

  it('takes a gRPC server that cancels for a deadline that has run out', () => {
    const talk = new Talk().grpc(1, 'a.B/C').get(3, '/a').answer(reset(1, 8), reset(3, 8));
    expect(outline(talk.drive())).toEqual(['a.B/C none timeout', 'GET /a none CANCEL']);
    expect(outline(talk.drive(true))).toEqual(['a.B/C none connection_closed', 'GET /a none CANCEL']);
  });

  it('leaves out what a server that goes away did not look at, and fails it where it goes for an error', () => {
    const talk = new Talk()
      .get(1, '/a')
      .get(3, '/b')
      .get(5, '/c')
      .answer(goAway(2 ** 31 - 1, 0))
      .answer(goAway(3, 0));
    const quiet = talk.drive();
    quiet.layer.close(100, 'connection_closed');
    expect(outline(quiet)).toEqual(['GET /a none connection_closed', 'GET /b none connection_closed']);
    const loud = new Talk().get(1, '/a').get(3, '/b').answer(goAway(1, 11)).drive();
    expect(outline(loud)).toEqual(['GET /b none ENHANCE_YOUR_CALM']);
  });

  it.each(['constructor', '', '2000', 'x'.repeat(900)])('tells no status that is none: %s', (status) => {
    const talk = new Talk().get(1, '/a').grpc(3, 'a.B/C');
    for (const stream of [1, 3]) talk.answer(talk.reply(stream, false, [':status', status]), data(stream, 'x'));
    expect(outline(talk.drive())).toEqual(['GET /a *', 'a.B/C *']);
  });

  it('leaves out requests that were on their way when the server said it goes away', () => {
    const talk = new Talk().get(1, '/a').answer(goAway(1, 0)).get(3, '/b').grpc(5, 'a.B/C');
    const driven = talk.answer(talk.reply(1, true, OK)).drive(true);
    expect(waiting(driven, 1_000)).toEqual([]);
    driven.layer.close(100, 'connection_closed');
    expect(outline(driven)).toEqual(['GET /a 200']);
    expect(driven.losses).toEqual({ requests: 0, responses: 0, bytes: 0 });
  });

  it('tells what waits when the connection ends', () => {
    const talk = new Talk().get(1, '/a').get(3, '/events').grpc(5, 'a.B/C').grpc(7, 'a.B/D').get(9, '/cut');
    talk.answer(talk.reply(3, false, OK, ['content-type', 'text/event-stream']), talk.reply(7, false, ...grpcHead));
    talk.answer(talk.reply(9, false, OK), data(9, 'half', false));
    const ends = (isServer: boolean, error: string): string[] => {
      const driven = talk.drive(isServer);
      driven.layer.close(100, error);
      return outline(driven);
    };
    const left = ['GET /events 200', 'a.B/D CANCELLED'];
    const lost = ['GET /events 200 connection_reset', 'a.B/D none connection_reset'];
    for (const [isServer, error, [events, stream]] of [
      [false, 'timeout', left],
      [true, 'connection_closed', left],
      [false, 'connection_reset', lost],
    ] as const) {
      expect(ends(isServer, error)).toEqual([
        `GET /a none ${error}`,
        events,
        `a.B/C none ${error}`,
        stream,
        `GET /cut 200 ${error}`,
      ]);
    }
  });

  it('reports a timeout once', () => {
    const talk = new Talk().get(1, '/slow');
    const driven = talk.drive();
    expect(waiting(driven, 1_000)).toEqual(['http GET /slow']);
    driven.layer.expire(50, 60_040);
    const late = talk.reply(1, true, OK);
    driven.layer.feed(RESPONSE, late, 0, late.length, late.length, 70_000);
    expect(outline(driven)).toEqual(['GET /slow none timeout']);
    expect([driven.layer.pendingCount, driven.losses.responses]).toEqual([0, 0]);
  });

  it('does not take an upload that goes on for one that waits', () => {
    const talk = new Talk();
    talk.ask(talk.client.headers(1, false, ...request('POST', '/up')), data(1, 'x', false));
    const driven = talk.drive();
    driven.layer.expire(50_000, 110_000);
    expect([outline(driven), waiting(driven, 50_000)]).toEqual([[], []]);
  });
});
