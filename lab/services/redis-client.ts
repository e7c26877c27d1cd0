/** A small Redis client: one connection, commands answered in order, reconnects with the next command. */
import type { Socket } from 'node:net';
import { connect } from 'node:net';

export type Reply = string | number | null | readonly Reply[];

interface Waiting {
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

/** Reads one reply at `at`; undefined when the buffer holds only a part of it. */
function parseReply(buffer: Buffer, at: number): { reply: Reply | Error; next: number } | undefined {
  const end = buffer.indexOf('\r\n', at);
  if (end < 0) return undefined;
  const text = buffer.toString('latin1', at + 1, end);
  const next = end + 2;
  switch (buffer[at]) {
    case 0x2b:
      return { reply: text, next };
    case 0x2d:
      return { reply: new Error(text), next };
    case 0x3a:
      return { reply: Number(text), next };
    case 0x24: {
      const length = Number(text);
      if (length < 0) return { reply: null, next };
      if (buffer.length < next + length + 2) return undefined;
      return { reply: buffer.toString('utf8', next, next + length), next: next + length + 2 };
    }
    case 0x2a: {
      const items: Reply[] = [];
      let position = next;
      for (let i = 0; i < Number(text); i++) {
        const item = parseReply(buffer, position);
        if (item === undefined) return undefined;
        items.push(item.reply instanceof Error ? item.reply.message : item.reply);
        position = item.next;
      }
      return { reply: items, next: position };
    }
    default:
      return { reply: new Error(`not a Redis reply: byte ${buffer[at]}`), next: buffer.length };
  }
}

export class RedisClient {
  readonly #host: string;
  readonly #port: number;
  readonly #timeoutMs: number;
  #socket: Socket | undefined;
  #received: Buffer = Buffer.alloc(0);
  #waiting: Waiting[] = [];

  constructor(host: string, port: number, timeoutMs: number) {
    this.#host = host;
    this.#port = port;
    this.#timeoutMs = timeoutMs;
  }

  /** @throws Error when Redis answers with an error, closes, or does not answer in time */
  command(words: readonly string[]): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#fail(new Error('redis timeout')), this.#timeoutMs);
      this.#waiting.push({ resolve, reject, timer });
      const parts = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`);
      this.#connected().write(`*${words.length}\r\n${parts.join('')}`);
    });
  }

  close(): void {
    this.#socket?.end();
  }

  #connected(): Socket {
    if (this.#socket !== undefined) return this.#socket;
    const socket = connect({ host: this.#host, port: this.#port, noDelay: true });
    this.#socket = socket;
    const fail = (error: Error): void => {
      if (this.#socket === socket) this.#fail(error);
    };
    socket.on('data', (piece) => this.#take(piece));
    socket.on('error', fail);
    socket.on('close', () => fail(new Error('redis closed the connection')));
    return socket;
  }

  #take(piece: Buffer): void {
    this.#received = this.#received.length === 0 ? piece : Buffer.concat([this.#received, piece]);
    let at = 0;
    for (let parsed = parseReply(this.#received, at); parsed !== undefined; ) {
      at = parsed.next;
      const first = this.#waiting.shift();
      if (first !== undefined) {
        clearTimeout(first.timer);
        if (parsed.reply instanceof Error) first.reject(parsed.reply);
        else first.resolve(parsed.reply);
      }
      parsed = at < this.#received.length ? parseReply(this.#received, at) : undefined;
    }
    this.#received = this.#received.subarray(at);
  }

  /** Replies come in order, so one that never comes ends the connection and everything behind it. */
  #fail(error: Error): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#received = Buffer.alloc(0);
    this.#socket?.destroy();
    this.#socket = undefined;
    for (const one of waiting) {
      clearTimeout(one.timer);
      one.reject(error);
    }
  }
}
