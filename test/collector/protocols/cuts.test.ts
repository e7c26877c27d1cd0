/** The same conversation, cut anywhere, gives the same calls; garbage never throws and never keeps memory. */
import { describe, expect, it } from 'vitest';
import { PROTOCOLS } from '../../../collector/protocols/index.ts';
import { REQUEST, RESPONSE } from '../../../collector/protocols/protocol.ts';
import type { MatchLosses } from '../../../collector/tracker/calls.ts';
import { openLayer } from '../../../collector/tracker/connection.ts';
import { CONVERSATIONS } from './conversations.ts';
import { drive } from './drive.ts';

/** mulberry32 */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

describe.each(PROTOCOLS)('$name', (protocol) => {
  const conversation = CONVERSATIONS[protocol.name as keyof typeof CONVERSATIONS];
  const whole = drive(protocol, conversation).calls;

  it('has calls to compare', () => expect(whole.length).toBeGreaterThan(3));

  it('gives the same calls when each piece is cut at any one byte', () => {
    for (const [target, { bytes }] of conversation.entries()) {
      for (let at = 1; at < bytes.length; at++) {
        const cut = drive(protocol, conversation, { cut: (index) => (index === target ? [at] : []) });
        expect(cut.calls, `piece ${target} cut at ${at}`).toEqual(whole);
      }
    }
  });

  it('gives the same calls byte by byte', () => {
    const cut = drive(protocol, conversation, {
      cut: (_, length) => Array.from({ length: length - 1 }, (_x, i) => i + 1),
    });
    expect(cut.calls).toEqual(whole);
  });

  it.each([1, 2, 3, 4, 5])('gives the same calls with random cuts, seed %i', (seed) => {
    const next = random(seed);
    for (let round = 0; round < 50; round++) {
      const cut = drive(protocol, conversation, {
        cut: (_, length) => Array.from({ length: length - 1 }, (_x, i) => i + 1).filter(() => next() < 0.15),
      });
      expect(cut.calls, `seed ${seed} round ${round}`).toEqual(whole);
    }
  });

  it.each([11, 12, 13])('survives garbage, flipped bytes and missing bytes, seed %i', (seed) => {
    const next = random(seed);
    const losses: MatchLosses = { requests: 0, responses: 0, bytes: 0 };
    let calls = 0;
    for (let round = 0; round < 200; round++) {
      const layer = openLayer(protocol, { onCall: () => calls++ }, next() < 0.5, losses);
      let atMs = 0;
      for (let i = 0; i < 40; i++) {
        const source = conversation[Math.floor(next() * conversation.length)];
        const bytes = Buffer.from(source?.bytes ?? '');
        for (let k = 0; k < bytes.length; k++) if (next() < 0.01) bytes[k] = Math.floor(next() * 256);
        const flow = next() < 0.1 ? (next() < 0.5 ? REQUEST : RESPONSE) : (source?.flow ?? REQUEST);
        const captured = Math.floor(next() * (bytes.length + 1));
        atMs += 1000;
        if (next() < 0.05) layer.gap(flow, Math.floor(next() * 1e6), atMs);
        else layer.feed(flow, bytes, 0, captured, next() < 0.3 ? bytes.length : captured, atMs);
        expect(layer.heldBytes).toBeLessThan(256 * 1024);
        expect(layer.pendingCount).toBeLessThanOrEqual(4096);
      }
      layer.expire(atMs, atMs);
      layer.close(atMs, 'connection_closed');
      for (const noise of [Buffer.from(Array.from({ length: 300 }, () => Math.floor(next() * 256)))]) {
        const fresh = openLayer(protocol, { onCall: () => calls++ }, false, losses);
        fresh.feed(REQUEST, noise, 0, noise.length, noise.length, 1);
        fresh.feed(RESPONSE, noise, 0, noise.length, noise.length, 2);
        protocol.infer(noise, 0, noise.length);
      }
    }
    expect(calls).toBeGreaterThan(100);
  });
});
