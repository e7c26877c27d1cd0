/** Feeds a conversation to one connection, cut as asked, and returns its calls in a comparable form. */
import type { Flow, Protocol } from '../../../collector/protocols/protocol.ts';
import type { Call, CallLayer, MatchLosses } from '../../../collector/tracker/calls.ts';
import { openLayer } from '../../../collector/tracker/connection.ts';

export interface Piece {
  readonly flow: Flow;
  readonly bytes: Buffer;
  /** Bytes that moved; more than `bytes.length` when the rest was not captured. */
  readonly full?: number;
}

export interface SeenCall {
  readonly protocol: string;
  readonly operation: string;
  readonly status: string;
  readonly failed: boolean;
  readonly errorType: string | undefined;
  readonly startMs: number;
  readonly endMs: number;
  readonly requestBytes: number;
  readonly responseBytes: number;
}

export interface Driven {
  readonly calls: SeenCall[];
  readonly losses: MatchLosses;
  readonly layer: CallLayer;
}

/** Splits every piece at the given size (Infinity: not at all); the pieces keep the time of their original. */
export function drive(
  protocol: Protocol,
  pieces: readonly Piece[],
  options: {
    readonly isServer?: boolean;
    readonly cut?: (index: number, length: number) => readonly number[];
    readonly stepMs?: number;
  } = {},
): Driven {
  const calls: SeenCall[] = [];
  const losses: MatchLosses = { requests: 0, responses: 0, bytes: 0 };
  const owner = { onCall: (_: CallLayer, call: Call) => void calls.push({ ...call }) };
  const layer = openLayer(protocol, owner, options.isServer ?? false, losses);
  pieces.forEach((piece, index) => {
    const atMs = (index + 1) * (options.stepMs ?? 10);
    const full = piece.full ?? piece.bytes.length;
    const cuts = options.cut?.(index, piece.bytes.length) ?? [];
    const edges = [0, ...cuts, piece.bytes.length];
    for (let i = 0; i + 1 < edges.length; i++) {
      const from = edges[i] ?? 0;
      const to = edges[i + 1] ?? 0;
      const last = i + 2 === edges.length;
      // The bytes sit in the middle of a larger buffer, as in a frame.
      const frame = Buffer.concat([Buffer.from('@@@'), piece.bytes.subarray(from, to), Buffer.from('###')]);
      layer.feed(piece.flow, frame, 3, to - from, last ? full - from : to - from, atMs);
    }
  });
  return { calls, losses, layer };
}

export const text = (flow: Flow, value: string): Piece => ({ flow, bytes: Buffer.from(value, 'utf8') });

/** `op status` of each call. */
export function outline(driven: Driven): string[] {
  return driven.calls.map((call) => `${call.operation} ${call.status}${call.errorType ? ` ${call.errorType}` : ''}`);
}
