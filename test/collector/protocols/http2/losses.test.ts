/** What was not captured, and connections that are older than the collector. */
import { describe, expect, it } from 'vitest';
import { http2 } from '../../../../collector/protocols/http2/index.ts';
import { REQUEST, RESPONSE } from '../../../../collector/protocols/protocol.ts';
import { outline } from '../drive.ts';
import { data, Encoder, grpcHead, grpcRequest, message, preface, request, settings } from './frames.ts';
import { DONE, durations, OK, Talk, waiting } from './talk.ts';

describe('losses', () => {
  it('goes on after frames that were not captured, and counts requests that it did not see', () => {
    const talk = new Talk();
    const many = [1, 3, 5, 7].map((stream) => talk.client.headers(stream, true, ...request('GET', `/r${stream}`)));
    talk.askCut(many[0]!.length + 4, ...many).get(9, '/after');
    talk.answer(...[1, 3, 5, 7, 9].map((stream) => talk.reply(stream, true, OK)));
    const driven = talk.drive();
    // Its method and path are new, and the rest was lost with the table.
    expect(outline(driven)).toEqual(['GET /r1 200', 'GET /after 200']);
    expect(driven.losses).toMatchObject({ requests: 3, responses: 3 });
  });

  it('never tells a path that it does not know', () => {
    const talk = new Talk().get(1, '/known');
    const cut = talk.client.headers(3, true, ...request('GET', '/cut', ['x', 'y'.repeat(80)], ['z', '1']));
    talk.askCut(20, cut, talk.client.headers(5, true, ...request('GET', '/lost')));
    for (const [i, path] of ['/known', '/lost', '/cut', '/new', '/new'].entries()) talk.get(7 + i * 2, path);
    talk.answer(...[1, 3, 5, 7, 9, 11, 13, 15].map((stream) => talk.reply(stream, true, OK)));
    const driven = talk.drive();
    expect(outline(driven)).toEqual([
      'GET /known 200',
      'GET /cut 200',
      '* 200',
      '* 200',
      '* 200',
      'GET /new 200',
      'GET /new 200',
    ]);
    expect(driven.losses).toMatchObject({ requests: 1, responses: 1 });
  });

  it('counts a gRPC call whose end was not captured, with a status that is not known', () => {
    const talk = new Talk().grpc(1, 'a.B/C').grpc(3, 'a.B/D');
    const answer = [
      talk.reply(1, false, ...grpcHead),
      data(1, message('x'.repeat(50)), false),
      talk.reply(1, true, DONE),
    ];
    talk.answerCut(50, ...answer);
    const driven = talk.drive();
    expect(waiting(driven, 1_000)).toEqual([]);
    driven.layer.finishIdle(40);
    expect(driven.calls).toEqual([]);
    driven.layer.finishIdle(60);
    expect(outline(driven)).toEqual(['a.B/C *']);
    driven.layer.expire(1_000, 61_000);
    expect([outline(driven), driven.losses.requests]).toEqual([['a.B/C *'], 1]);
  });

  it('does not doubt a response whose bytes come again', () => {
    const talk = new Talk().get(1, '/a');
    talk.answerCut(30, talk.reply(1, false, OK), data(1, 'x', false), data(1, 'y', false), settings(), settings());
    talk.answer(data(1, 'z', false)).answer(data(1, 'end'));
    const driven = talk.drive();
    driven.layer.finishIdle(1_000);
    expect(durations(driven)).toEqual(['GET /a 30']);
    expect(driven.losses.requests).toBe(0);
  });

  it('begins in mid-life, where only static fields are known', () => {
    const talk = new Talk(false);
    talk.client.block(...grpcRequest('/a.B/Old'), [':method', 'GET']);
    talk.server.block(...grpcHead, DONE);
    talk.ask(Buffer.from('the rest of a body')).grpc(101, 'a.B/Old').unary(101, '0');
    talk.grpc(103, 'a.B/New').unary(103, '0').grpc(105, 'a.B/New').unary(105, '5');
    const driven = talk.drive();
    expect(driven.calls.map(({ protocol, operation, status }) => `${protocol} ${operation} ${status}`)).toEqual([
      'grpc * *',
      'grpc a.B/New *',
      // Its status is new, and the name it is sent under is older than us.
      'grpc a.B/New *',
    ]);
  });

  it('takes no answer for a stream because its first message’s length was lost', () => {
    const method = 'shop.Images/Get';
    const talk = new Talk().grpc(1, method).grpc(3, method);
    const [first, second] = [1, 3].map((stream) => talk.reply(stream, false, ...grpcHead)) as [Buffer, Buffer];
    const body = message('\0'.repeat(200));
    // Of one the head was seen, of the other nothing.
    talk.answerCut(first.length, first, data(1, body.subarray(0, 100), false), second, data(3, body, false));
    talk.answer(data(1, body.subarray(100), false), data(3, '\0'.repeat(100), false));
    talk.answer(talk.reply(1, true, DONE), talk.reply(3, true, DONE)).grpc(5, method);
    const driven = talk.drive();
    // To the end of the answer; and who waits for the next one hangs.
    expect(durations(driven)[0]).toBe(`${method} 40`);
    expect(waiting(driven, 1_000)).toEqual([`grpc ${method}`]);
  });

  it('fails no call because it took it for gRPC', () => {
    const talk = new Talk(false);
    const json = ['content-type', 'application/json'] as const;
    talk.client.block(json);
    talk.server.block(json);
    talk.grpc(101, 'a.B/C').unary(101, '0');
    for (const stream of [103, 105, 107])
      talk.ask(talk.client.headers(stream, true, ...request('POST', `/p${stream}`, json)));
    talk.answer(talk.reply(103, false, OK, json), data(103, '{}'));
    talk.answer(talk.reply(105, true, [':status', '404'], json));
    talk.answer(talk.reply(107, true, [':status', '503'], json));
    // Nothing says whose they are, but that a gRPC call came before.
    expect(outline(talk.drive())).toEqual(['a.B/C OK', 'p103 *', 'p105 *', 'p107 UNAVAILABLE UNAVAILABLE']);
  });

  it('keeps no more than its bound of requests without an answer', () => {
    const talk = new Talk();
    for (let i = 0; i < 5000; i++) talk.get(1 + i * 2, '/a');
    const driven = talk.drive();
    expect(driven.layer.pendingCount).toBe(4096);
    expect(driven.losses.requests).toBe(5000 - 4096);
  });
});

describe('the sender', () => {
  const encoder = new Encoder();
  it.each([
    ['a preface', preface(), REQUEST],
    ['a request', encoder.headers(5, true, ...request('GET', '/')), REQUEST],
    ['a response', encoder.headers(5, true, OK), RESPONSE],
    ['a response that is not in the static table', encoder.headers(5, true, [':status', '302']), RESPONSE],
    ['settings', settings(), undefined],
    ['HTTP/1', Buffer.from('GET / HTTP/1.1\r\n\r\n'), undefined],
    ['an even stream', encoder.headers(4, true, OK), undefined],
    ['zeros', Buffer.alloc(40), undefined],
  ])('of %s', (_, bytes, flow) => expect(http2.infer(bytes, 0, bytes.length)).toBe(flow));
});
