/**
 * A real webhook receiver: checks Standard Webhooks signatures with the public library, keeps what it got, and fails
 * as often as it is told to.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import { Webhook } from 'standardwebhooks';

export interface ReceivedWebhook {
  readonly receivedMs: number;
  /** `webhook-id`: the same for every attempt of one delivery. */
  readonly id: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** The bytes as text, exactly as signed. */
  readonly text: string;
  /** Parsed; undefined when the body is not JSON. */
  readonly body: unknown;
  /** The signature fits and the timestamp is fresh. */
  readonly verified: boolean;
  /** What we answered. */
  readonly status: number;
}

export interface WebhookReceiver {
  readonly url: string;
  /** Everything that came, refused attempts included, in order. */
  readonly received: readonly ReceivedWebhook[];
  /** Verified bodies that were answered 2xx, one per webhook-id. */
  accepted(): readonly ReceivedWebhook[];
  /** The next `times` requests with a right signature are answered `status` (default 500). */
  failNext(times: number, status?: number): void;
  /** Waits until `enough` is true of what came; false when the time is over before. */
  waitFor(enough: (received: readonly ReceivedWebhook[]) => boolean, timeoutMs: number): Promise<boolean>;
  stop(): Promise<void>;
}

export interface ReceiverOptions {
  /** Any of these may have signed: `whsec_…` or base64. */
  readonly secrets: readonly string[];
  readonly host?: string;
  readonly port?: number;
}

const MAX_BODY_BYTES = 16 * 1024 * 1024;

function textOf(request: IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = [];
    let bytes = 0;
    request.on('data', (piece: Buffer) => {
      bytes += piece.length;
      if (bytes > MAX_BODY_BYTES) request.destroy(new Error('body too large'));
      else pieces.push(piece);
    });
    request.on('end', () => resolve(Buffer.concat(pieces).toString('utf8')));
    request.on('error', reject);
  });
}

function flat(request: IncomingMessage): Record<string, string> {
  return Object.fromEntries(
    Object.entries(request.headers).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.join(', ') : (value ?? ''),
    ]),
  );
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

class Receiver implements WebhookReceiver {
  readonly received: ReceivedWebhook[] = [];
  url = '';
  readonly #verifiers: readonly Webhook[];
  readonly #server: Server;
  #failures = 0;
  #failureStatus = 500;
  #waiters: (() => void)[] = [];

  constructor(options: ReceiverOptions) {
    this.#verifiers = options.secrets.map((secret) => new Webhook(secret));
    this.#server = createServer((request, response) => void this.#take(request, response));
  }

  listen(host: string, port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.on('error', reject);
      this.#server.listen(port, host, () => {
        const address = this.#server.address();
        const bound = typeof address === 'object' && address !== null ? address.port : port;
        this.url = `http://${host}:${bound}/hooks/rootwalk`;
        resolve();
      });
    });
  }

  accepted(): readonly ReceivedWebhook[] {
    const seen = new Set<string>();
    return this.received.filter(({ id, verified, status }) => {
      if (!verified || status >= 300 || seen.has(id)) return false;
      seen.add(id);
      return true;
    });
  }

  failNext(times: number, status = 500): void {
    this.#failures = times;
    this.#failureStatus = status;
  }

  async waitFor(enough: (received: readonly ReceivedWebhook[]) => boolean, timeoutMs: number): Promise<boolean> {
    const end = Date.now() + timeoutMs;
    while (!enough(this.received)) {
      const left = end - Date.now();
      if (left <= 0) return false;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#waiters.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
    return true;
  }

  stop(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  #verifies(text: string, headers: Readonly<Record<string, string>>): boolean {
    return this.#verifiers.some((verifier) => {
      try {
        verifier.verify(text, headers);
        return true;
      } catch {
        return false;
      }
    });
  }

  #statusFor(request: IncomingMessage, verified: boolean): number {
    if (request.method !== 'POST') return 405;
    if (!verified) return 401;
    if (this.#failures === 0) return 204;
    this.#failures--;
    return this.#failureStatus;
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text: string;
    try {
      text = await textOf(request);
    } catch {
      return;
    }
    const headers = flat(request);
    const verified = this.#verifies(text, headers);
    const status = this.#statusFor(request, verified);
    const id = headers['webhook-id'] ?? '';
    const path = request.url ?? '/';
    this.received.push({ receivedMs: Date.now(), id, path, headers, text, body: parsed(text), verified, status });
    response.writeHead(status, { 'content-length': '0' });
    response.end();
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const wake of waiters) wake();
  }
}

/** Starts a receiver; port 0 (default) takes a free one. */
export async function startWebhookReceiver(options: ReceiverOptions): Promise<WebhookReceiver> {
  const receiver = new Receiver(options);
  await receiver.listen(options.host ?? '127.0.0.1', options.port ?? 0);
  return receiver;
}
