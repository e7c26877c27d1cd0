/** A webhook receiver: Standard Webhooks headers and signatures over HTTP, with no redirects and no addresses inside. */
import { Webhook } from 'standardwebhooks';
import { Agent, request } from 'undici';
import { RcaError } from '../model/errors.ts';
import type { OutboxMessage } from '../model/outbox.ts';
import type { Report } from '../model/report.ts';
import { checkLiteralAddress, guardedLookup } from './address.ts';
import { parseRetryAfter } from './backoff.ts';
import { renderBody } from './bodies.ts';
import type { SendResult, Target } from './target.ts';
import type { Receiver } from './types.ts';

/** Standard Webhooks asks for 15 to 30 s. */
export const DEFAULT_TIMEOUT_MS = 20_000;
const ERROR_TEXT_BYTES = 300;
const THROTTLES: readonly number[] = [429, 502, 503, 504];

/**
 * @throws {RcaError} RCA_BAD_CONFIG for a URL that is not http(s), carries credentials, or a secret that is none
 */
export function createWebhookTarget(receiver: Receiver, timeoutMs: number = DEFAULT_TIMEOUT_MS): Target {
  const url = parseUrl(receiver);
  const signers = (receiver.secrets ?? []).map((secret, i) => signer(receiver.name, secret, i));
  const guarded = receiver.allowPrivateAddresses !== true;
  const agent = new Agent({
    connect: { timeout: timeoutMs, ...(guarded ? { lookup: guardedLookup() as never } : {}) },
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
    pipelining: 1,
  });
  return {
    name: receiver.name,
    accepts: (message, report) => accepts(receiver, message, report),
    async send(message, report, nowMs) {
      const body = renderBody(receiver.body ?? 'native', message, report, receiver.name);
      // A Date, because the library wants one; its seconds are the webhook-timestamp.
      const at = new Date(nowMs);
      const headers: Record<string, string> = {
        'content-type': body.contentType,
        'user-agent': 'rootwalk-webhooks/1',
        'webhook-id': message.id,
        'webhook-timestamp': String(Math.floor(nowMs / 1000)),
      };
      if (signers.length > 0) {
        headers['webhook-signature'] = signers.map((webhook) => webhook.sign(message.id, at, body.text)).join(' ');
      }
      try {
        if (guarded) checkLiteralAddress(url);
        const response = await request(url, {
          method: 'POST',
          headers,
          body: body.text,
          dispatcher: agent,
          signal: AbortSignal.timeout(timeoutMs),
        });
        const text = await readSome(response.body);
        return judge(response.statusCode, text, header(response.headers['retry-after']), nowMs);
      } catch (error) {
        return {
          ok: false,
          status: null,
          error: describe(error, timeoutMs),
          retryAfterMs: null,
          gone: false,
          throttled: false,
        };
      }
    },
    close: () => agent.destroy(),
  };
}

function parseUrl(receiver: Receiver): URL {
  const bad = (why: string): RcaError =>
    new RcaError('RCA_BAD_CONFIG', `webhook "${receiver.name}": ${why}`, { receiver: receiver.name });
  const url = URL.parse(receiver.url);
  if (url === null) throw bad(`"${receiver.url}" is not a URL; expected https://host/path`);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') throw bad(`expected http or https, found ${url.protocol}`);
  if (url.username !== '' || url.password !== '') throw bad('credentials in the URL are not sent; use "secrets"');
  return url;
}

function signer(name: string, secret: string, i: number): Webhook {
  const where = `webhook "${name}": secrets[${i}]`;
  const base64 = secret.startsWith('whsec_') ? secret.slice('whsec_'.length) : undefined;
  if (base64 === undefined) throw new RcaError('RCA_BAD_CONFIG', `${where} does not begin with whsec_`);
  const bytes = Buffer.from(base64, 'base64').length;
  if (bytes < 24 || bytes > 64) {
    throw new RcaError('RCA_BAD_CONFIG', `${where}: expected 24 to 64 bytes in base64 after whsec_, found ${bytes}`);
  }
  try {
    return new Webhook(secret);
  } catch (cause) {
    throw new RcaError('RCA_BAD_CONFIG', `${where} is not base64`, {}, cause);
  }
}

function accepts(receiver: Receiver, message: OutboxMessage, report: Report): boolean {
  const [cause] = report.causes;
  const { events, environments, classes, minConfidence } = receiver;
  if (events !== undefined && !events.includes(message.type)) return false;
  if (environments !== undefined && !environments.includes(message.environment)) return false;
  if (classes !== undefined && !classes.includes(cause?.faultClass ?? 'unknown')) return false;
  return minConfidence === undefined || (cause?.confidence ?? 0) >= minConfidence;
}

function judge(status: number, text: string, retryAfter: string | undefined, nowMs: number): SendResult {
  const ok = status >= 200 && status < 300;
  const retryAfterMs = parseRetryAfter(retryAfter, nowMs);
  const redirect = status >= 300 && status < 400;
  const error = redirect
    ? `answered ${status}: redirects are not followed, configure the final URL`
    : `answered ${status}${text === '' ? '' : `: ${text}`}`;
  return {
    ok,
    status,
    error: ok ? null : error,
    retryAfterMs: ok ? null : retryAfterMs,
    gone: status === 410,
    throttled: !ok && (THROTTLES.includes(status) || retryAfterMs !== null),
  };
}

function header(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}

interface BodyStream extends AsyncIterable<Uint8Array> {
  destroy(): unknown;
}

/** The first bytes of the answer, for the log; the rest is thrown away with the connection. */
async function readSome(body: BodyStream): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    size += chunk.length;
    if (size >= ERROR_TEXT_BYTES) break;
  }
  const text = Buffer.concat(chunks).subarray(0, ERROR_TEXT_BYTES).toString('utf8');
  return [...text]
    .map((c) => (c < ' ' ? ' ' : c))
    .join('')
    .trim();
}

function describe(error: unknown, timeoutMs: number): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError' || error.name.endsWith('TimeoutError')) return `no answer within ${timeoutMs} ms`;
  const { cause } = error;
  return cause instanceof Error ? `${error.message}: ${cause.message}` : error.message || error.name;
}
