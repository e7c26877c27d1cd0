/** A connection to be talked on, and what is asked of its calls. */
import { http2 } from '../../../../collector/protocols/http2/index.ts';
import type { Flow } from '../../../../collector/protocols/protocol.ts';
import { REQUEST, RESPONSE } from '../../../../collector/protocols/protocol.ts';
import type { Driven, Piece } from '../drive.ts';
import { drive } from '../drive.ts';
import type { Header } from './frames.ts';
import { data, Encoder, grpcHead, grpcRequest, message, preface, request, settings } from './frames.ts';

export const OK: Header = [':status', '200'];
export const DONE: Header = ['grpc-status', '0'];

/** Pieces are 10 ms apart. */
export class Talk {
  readonly client = new Encoder();
  readonly server = new Encoder();
  readonly pieces: Piece[] = [];

  constructor(hasBeginning = true) {
    if (hasBeginning) this.ask(preface()).answer(settings());
  }

  #add(flow: Flow, parts: readonly Buffer[], seen?: number): this {
    const bytes = Buffer.concat(parts);
    const cut = bytes.subarray(0, seen ?? bytes.length);
    this.pieces.push({ flow, bytes: cut, full: bytes.length });
    return this;
  }

  ask(...parts: readonly Buffer[]): this {
    return this.#add(REQUEST, parts);
  }

  answer(...parts: readonly Buffer[]): this {
    return this.#add(RESPONSE, parts);
  }

  /** As ask, with the first `seen` bytes captured. */
  askCut(seen: number, ...parts: readonly Buffer[]): this {
    return this.#add(REQUEST, parts, seen);
  }

  answerCut(seen: number, ...parts: readonly Buffer[]): this {
    return this.#add(RESPONSE, parts, seen);
  }

  get(stream: number, path: string): this {
    return this.ask(this.client.headers(stream, true, ...request('GET', path)));
  }

  grpc(stream: number, method: string, ...more: readonly Header[]): this {
    return this.ask(
      this.client.headers(stream, false, ...grpcRequest(`/${method}`, ...more)),
      data(stream, message('q')),
    );
  }

  reply(stream: number, isEnd: boolean, ...headers: readonly Header[]): Buffer {
    return this.server.headers(stream, isEnd, ...headers);
  }

  unary(stream: number, status: string): this {
    return this.answer(
      this.reply(stream, false, ...grpcHead),
      data(stream, message('a'), false),
      this.reply(stream, true, ['grpc-status', status]),
    );
  }

  drive(isServer = false): Driven {
    return drive(http2, this.pieces, { isServer });
  }
}

/** `operation duration` of each call, ms. */
export const durations = (driven: Driven): string[] =>
  driven.calls.map(({ operation, startMs, endMs }) => `${operation} ${endMs - startMs}`);
export const waiting = (driven: Driven, beforeMs: number): string[] => {
  const names: string[] = [];
  driven.layer.forEachUnanswered(beforeMs, (operation, _, protocol) => names.push(`${protocol} ${operation}`));
  return names;
};
