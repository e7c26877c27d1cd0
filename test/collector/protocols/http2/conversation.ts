/** One long conversation with all that HTTP/2 has: several streams at a time, padding, trailers, resets, a block in pieces. */
import type { Flow } from '../../../../collector/protocols/protocol.ts';
import { REQUEST, RESPONSE } from '../../../../collector/protocols/protocol.ts';
import type { Piece } from '../drive.ts';
import type { Header } from './frames.ts';
import {
  data,
  Encoder,
  frame,
  goAway,
  grpcHead,
  grpcRequest,
  message,
  padded,
  ping,
  preface,
  priority,
  request,
  reset,
  settings,
  settingsAck,
  windowUpdate,
} from './frames.ts';

const piece = (flow: Flow, ...parts: readonly Buffer[]): Piece => ({ flow, bytes: Buffer.concat(parts) });
const ok: readonly Header[] = [[':status', '200']];

/** HEADERS without END_HEADERS and CONTINUATION frames for the rest; padded, with a priority. */
function inPieces(stream: number, block: Buffer): Buffer {
  const first = block.subarray(0, 5);
  return Buffer.concat([
    frame(1, 1 | 8 | 32, stream, Buffer.from([3, 0, 0, 0, 0, 9]), first, Buffer.alloc(3)),
    frame(9, 0, stream, block.subarray(5, 9)),
    frame(9, 4, stream, block.subarray(9)),
  ]);
}

function conversation(): Piece[] {
  const client = new Encoder();
  const server = new Encoder();
  const head = (stream: number, isEnd: boolean, ...headers: readonly Header[]): Buffer =>
    server.headers(stream, isEnd, ...headers);
  return [
    piece(REQUEST, preface(), windowUpdate(0), client.headers(1, true, ...request('GET', '/a/17?x=1'))),
    piece(RESPONSE, settings([3, 100], [5, 16384]), settingsAck(), windowUpdate(0)),
    piece(REQUEST, settingsAck(), client.headers(3, false, ...request('POST', '/upload')), priority(3)),
    piece(REQUEST, data(3, 'hello', false), client.headers(5, true, ...request('GET', '/a/18'))),
    piece(RESPONSE, head(5, false, ...ok), head(1, false, [':status', '103']), ping()),
    piece(RESPONSE, data(5, 'five'), head(1, false, [':status', '404']), padded(1, 'gone', 7)),
    piece(REQUEST, data(3, ''), ping(), inPieces(7, client.block(...request('DELETE', '/b/deadbeef01')))),
    piece(RESPONSE, head(3, true, [':status', '503']), head(7, false, [':status', '204'])),
    piece(RESPONSE, data(7, '', false), head(7, true, ['x-trailer', 'done'])),
    piece(REQUEST, client.headers(9, false, ...grpcRequest('/shop.Cart/Get')), data(9, message('q'))),
    piece(REQUEST, client.headers(11, false, ...grpcRequest('/shop.Cart/List')), data(11, message('qq'))),
    piece(RESPONSE, head(9, false, ...grpcHead), data(9, message('answer'), false), head(11, false, ...grpcHead)),
    piece(RESPONSE, data(11, message('one'), false), head(9, true, ['grpc-status', '0'], ['grpc-message', ''])),
    piece(RESPONSE, data(11, message('two'), false), data(11, message('three'), false)),
    piece(RESPONSE, head(11, true, ['grpc-status', '0'], ['grpc-message', ''])),
    piece(REQUEST, client.headers(13, false, ...grpcRequest('/shop.Cart/Add')), data(13, message(''))),
    piece(RESPONSE, head(13, true, ...grpcHead, ['grpc-status', '14'], ['grpc-message', 'no more'])),
    piece(
      REQUEST,
      client.headers(15, true, ...request('GET', '/slow')),
      client.headers(17, true, ...request('GET', '/x')),
    ),
    piece(REQUEST, reset(15, 8)),
    piece(RESPONSE, reset(17, 2), goAway(19, 0)),
    piece(
      REQUEST,
      client.headers(19, true, ...request('GET', '/last')),
      client.headers(21, true, ...request('GET', '/no')),
    ),
    piece(RESPONSE, head(19, false, ...ok), data(19, 'x'.repeat(300), false), goAway(19, 0), data(19, '')),
  ];
}

export const HTTP2: readonly Piece[] = conversation();
