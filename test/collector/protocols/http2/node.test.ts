/** Node's own HTTP/2 (nghttp2) as the real encoder: what it says over a pair of streams is read as it was meant. */
import { once } from 'node:events';
import type { ClientHttp2Session, OutgoingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import { connect, constants, createServer } from 'node:http2';
import type { Duplex } from 'node:stream';
import { duplexPair } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { http2 } from '../../../../collector/protocols/http2/index.ts';
import type { Flow } from '../../../../collector/protocols/protocol.ts';
import { REQUEST, RESPONSE } from '../../../../collector/protocols/protocol.ts';
import type { Piece } from '../drive.ts';
import { drive, outline } from '../drive.ts';

/** Every character that a value may have, so that each code of Huffman's is met. */
const VALUES = Array.from({ length: 95 + 128 }, (_, i) => String.fromCharCode(i < 95 ? 32 + i : 33 + i));
const ROUNDS = 400;
const pieces: Piece[] = [];
const meant: string[] = [];

function record(flow: Flow, side: Duplex): void {
  const write = side._write.bind(side);
  side._write = (chunk: Buffer, encoding, done): void => {
    pieces.push({ flow, bytes: Buffer.from(chunk) });
    write(chunk, encoding, done);
  };
}

function answer(stream: ServerHttp2Stream, headers: Record<string, unknown>): void {
  const path = String(headers[':path']);
  stream.on('error', () => undefined);
  if (headers['content-type'] === 'application/grpc') {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': path.length % 17, 'grpc-message': 'm' }));
    stream.end(Buffer.from([0, 0, 0, 0, 2, 65, 66]));
    return;
  }
  stream.respond({ ':status': Number(path.slice(-3)), 'x-answer': path.repeat(3), date: 'today' });
  stream.end('x'.repeat(path.length * 100));
}

async function ask(session: ClientHttp2Session, headers: OutgoingHttpHeaders): Promise<string> {
  const stream = session.request(headers);
  let told = '';
  stream.on('response', (response) => {
    told = String(response[':status']);
  });
  stream.on('trailers', (trailers) => {
    told = `grpc ${trailers['grpc-status']}`;
  });
  stream.resume().end();
  await once(stream, 'close');
  return told;
}

beforeAll(async () => {
  const [near, far] = duplexPair();
  record(REQUEST, near);
  record(RESPONSE, far);
  const server = createServer({ settings: { headerTableSize: 8192 } });
  server.on('stream', answer);
  server.emit('connection', far);
  const session = connect('http://shop', { createConnection: () => near, settings: { headerTableSize: 1024 } });
  const outcomes: Promise<void>[] = [];
  for (let i = 0; i < ROUNDS; i++) {
    const isGrpc = i % 3 === 0;
    const path = isGrpc
      ? `/shop.Cart/M${i % 40}${'x'.repeat(i % 7)}`
      : `/things/${'ab'[i % 2]}?q=${i}/${200 + (i % 4) * 100}`;
    const value = Array.from({ length: 1 + (i % 20) }, (_, k) => VALUES[(i * 7 + k) % VALUES.length]).join('');
    const headers: OutgoingHttpHeaders = {
      ':method': isGrpc ? 'POST' : 'GET',
      ':path': path,
      'x-value': value.trim() === '' ? 'v' : value.trim(),
      [`x-name-${i % 50}`]: String(i),
      ...(isGrpc ? { 'content-type': 'application/grpc', te: 'trailers' } : {}),
    };
    if (i % 5 === 0) headers[constants.HTTP2_HEADER_AUTHORIZATION] = `secret ${i}`;
    outcomes.push(ask(session, headers).then((told) => void meant.push(`${path} ${told}`)));
    if (i % 8 === 7) await Promise.all(outcomes.splice(0));
  }
  await Promise.all(outcomes);
  session.close();
  await once(session, 'close');
});

afterAll(() => expect(meant).toHaveLength(ROUNDS));

const CODES = [
  'OK',
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
];
const expected = (): string[] =>
  meant
    .map((line) => {
      const [path = '', ...told] = line.split(' ');
      if (told[0] !== 'grpc') return `GET ${path.split('?')[0]} ${told[0]}`;
      return `${path.slice(1)} ${CODES[Number(told[1])]}`;
    })
    .sort();
const told = (seen: readonly { operation: string; status: string }[]): string[] =>
  seen.map(({ operation, status }) => `${operation} ${status}`).sort();

describe('what Node says', () => {
  it('is read in full', () => {
    const driven = drive(http2, pieces);
    expect(told(driven.calls)).toEqual(expected());
    expect(driven.losses).toEqual({ requests: 0, responses: 0, bytes: 0 });
    expect(outline(driven).filter((line) => line.includes('INTERNAL INTERNAL')).length).toBeGreaterThan(3);
  });

  it('is read in full, cut into pieces of 1 to 97 bytes', () => {
    let step = 0;
    const cut = (_: number, length: number): number[] => {
      const edges: number[] = [];
      for (let at = 1 + (step++ % 97); at < length; at += 1 + (step++ % 97)) edges.push(at);
      return edges;
    };
    expect(told(drive(http2, pieces, { cut }).calls)).toEqual(expected());
  });

  it.each([40, 80, 120, 200, 300, 512])('is never read wrongly with %i bytes of each piece', (capture) => {
    const seen = pieces.map(({ flow, bytes }) => ({ flow, bytes: bytes.subarray(0, capture), full: bytes.length }));
    const driven = drive(http2, seen);
    driven.layer.finishIdle(Number.POSITIVE_INFINITY);
    const left = new Map<string, number>();
    for (const line of expected()) left.set(line, (left.get(line) ?? 0) + 1);
    let known = 0;
    for (const { operation, status, errorType } of driven.calls) {
      if (operation === '*' || status === '*') continue;
      // Where nothing told that it was gRPC's, it is a POST like others; its path is right.
      if (operation.startsWith('POST /shop.')) {
        expect(meant.some((each) => each.startsWith(`${operation.slice(5)} `))).toBe(true);
        continue;
      }
      expect(errorType === 'timeout' || errorType === 'connection_closed').toBe(false);
      const line = `${operation} ${status}`;
      expect(left.get(line) ?? 0, line).toBeGreaterThan(0);
      left.set(line, left.get(line)! - 1);
      known++;
    }
    if (capture >= 300) expect(known).toBeGreaterThan(20);
    const { requests, responses } = driven.losses;
    expect(driven.calls.length + requests + responses + driven.layer.pendingCount).toBeGreaterThanOrEqual(ROUNDS * 0.9);
  });
});
