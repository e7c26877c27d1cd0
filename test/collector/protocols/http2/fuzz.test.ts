/** Whatever comes, nothing throws, nothing loops, and what is kept is bounded. */
import { describe, expect, it } from 'vitest';
import { HpackDecoder } from '../../../../collector/protocols/http2/hpack/decoder.ts';
import { MAX_TABLE_BYTES } from '../../../../collector/protocols/http2/hpack/dynamic-table.ts';
import { http2 } from '../../../../collector/protocols/http2/index.ts';
import type { Flow } from '../../../../collector/protocols/protocol.ts';
import type { MatchLosses } from '../../../../collector/tracker/calls.ts';
import { openLayer } from '../../../../collector/tracker/connection.ts';
import { HTTP2 } from './conversation.ts';
import { frame } from './frames.ts';

/** mulberry32 */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4_294_967_296) * below);
  };
}

const noise = (next: (below: number) => number, length: number): Buffer =>
  Buffer.from(Array.from({ length }, () => next(256)));

/** A frame whose parts are each likely to be right. */
function someFrame(next: (below: number) => number): Buffer {
  const bytes = frame(next(11), next(4) === 0 ? next(256) : [0, 1, 4, 5][next(4)]!, next(20), noise(next, next(60)));
  if (next(10) === 0) bytes[next(bytes.length)] = next(256);
  return bytes;
}

/** One of the conversation's pieces with bytes changed, left out or put in. */
function mutated(next: (below: number) => number, source: Buffer): Buffer {
  const bytes = Buffer.from(source);
  for (let i = next(4); i > 0; i--) bytes[next(bytes.length)] = next(256);
  const at = next(bytes.length);
  if (next(4) === 0) return Buffer.concat([bytes.subarray(0, at), noise(next, next(20)), bytes.subarray(at)]);
  return next(4) === 0 ? Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + next(10))]) : bytes;
}

describe.each([1, 2, 3])('seed %i', (seed) => {
  it('survives frames, mutations, cuts and gaps', () => {
    const next = random(seed);
    const losses: MatchLosses = { requests: 0, responses: 0, bytes: 0 };
    let calls = 0;
    for (let round = 0; round < 300; round++) {
      const layer = openLayer(http2, { onCall: () => calls++ }, next(2) === 0, losses);
      for (let i = 0; i < 60; i++) {
        const real = HTTP2[next(4) === 0 ? next(HTTP2.length) : i % HTTP2.length]!;
        const isNoise = next(8) === 0;
        const flow: Flow = isNoise ? (next(2) as Flow) : real.flow;
        const bytes = isNoise
          ? Buffer.concat(Array.from({ length: 1 + next(5) }, () => someFrame(next)))
          : next(4) === 0
            ? mutated(next, real.bytes)
            : real.bytes;
        const seen = next(8) === 0 ? next(bytes.length + 1) : bytes.length;
        if (next(100) === 0) layer.gap(flow, next(100_000), i * 100);
        layer.feed(flow, bytes, 0, seen, next(2) === 0 ? bytes.length : seen, i * 100);
        expect(layer.heldBytes).toBeLessThan(256 * 1024);
        expect(layer.pendingCount).toBeLessThanOrEqual(4096);
        if (next(10) === 0) layer.finishIdle(i * 100 - next(1000));
        if (next(10) === 0) layer.expire(i * 100 - next(3000), i * 100);
        layer.forEachUnanswered(i * 100, () => undefined);
      }
      layer.close(6000, 'connection_closed');
      expect(layer.pendingCount).toBe(0);
    }
    expect(calls).toBeGreaterThan(500);
    for (const count of Object.values(losses)) expect(count).toBeGreaterThanOrEqual(0);
  });

  it('reads header blocks of any bytes', () => {
    const next = random(seed);
    for (let round = 0; round < 300; round++) {
      const decoder = new HpackDecoder(() => next(2) === 0);
      for (let i = 0; i < 50; i++) {
        const block = noise(next, 1 + next(200));
        const seen = next(block.length + 1);
        decoder.decode(block, 0, seen, block.length, (name, value) => {
          expect(name?.length ?? 0).toBeLessThanOrEqual(1024);
          expect(value?.length ?? 0).toBeLessThanOrEqual(1024);
        });
        expect(decoder.table.size).toBeLessThanOrEqual(MAX_TABLE_BYTES);
        expect(decoder.table.count).toBeLessThanOrEqual(MAX_TABLE_BYTES / 32);
      }
    }
  });
});
