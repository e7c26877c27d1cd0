import { Webhook } from 'standardwebhooks';
import { afterEach, describe, expect, it } from 'vitest';
import type { WebhookReceiver } from '../../lab/webhook-receiver.ts';
import { startWebhookReceiver } from '../../lab/webhook-receiver.ts';

const SECRET = `whsec_${Buffer.from('a secret that only a test knows').toString('base64')}`;
const OTHER = `whsec_${Buffer.from('another secret, the one before').toString('base64')}`;

let receiver: WebhookReceiver | undefined;
afterEach(() => receiver?.stop());

async function post(url: string, id: string, body: string, secret = SECRET, at = new Date()): Promise<number> {
  const headers = {
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
    'webhook-signature': new Webhook(secret).sign(id, at, body),
  };
  return (await fetch(url, { method: 'POST', body, headers })).status;
}

describe('webhook receiver', () => {
  it('accepts what is signed with any of its secrets and keeps the body', async () => {
    receiver = await startWebhookReceiver({ secrets: [SECRET, OTHER] });
    expect(await post(receiver.url, 'msg_1', '{"type":"incident.opened"}')).toBe(204);
    expect(await post(receiver.url, 'msg_2', '{"type":"incident.resolved"}', OTHER)).toBe(204);
    expect(receiver.accepted().map(({ body }) => body)).toEqual([
      { type: 'incident.opened' },
      { type: 'incident.resolved' },
    ]);
  });

  it('refuses a wrong secret, a changed body, an old timestamp, no signature', async () => {
    receiver = await startWebhookReceiver({ secrets: [SECRET] });
    expect(await post(receiver.url, 'msg_1', '{}', OTHER)).toBe(401);
    const at = new Date();
    const headers = {
      'webhook-id': 'msg_2',
      'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
      'webhook-signature': new Webhook(SECRET).sign('msg_2', at, '{"a":1}'),
    };
    expect((await fetch(receiver.url, { method: 'POST', body: '{"a":2}', headers })).status).toBe(401);
    expect(await post(receiver.url, 'msg_3', '{}', SECRET, new Date(Date.now() - 3_600_000))).toBe(401);
    expect((await fetch(receiver.url, { method: 'POST', body: '{}' })).status).toBe(401);
    expect((await fetch(receiver.url)).status).toBe(405);
    expect(receiver.accepted()).toEqual([]);
    expect(receiver.received.length).toBe(5);
  });

  it('fails as often as told, and counts a repeated delivery once', async () => {
    receiver = await startWebhookReceiver({ secrets: [SECRET] });
    receiver.failNext(2, 503);
    expect([await post(receiver.url, 'm', '{}'), await post(receiver.url, 'm', '{}')]).toEqual([503, 503]);
    expect([await post(receiver.url, 'm', '{}'), await post(receiver.url, 'm', '{}')]).toEqual([204, 204]);
    expect(receiver.accepted().length).toBe(1);
    expect(await receiver.waitFor((received) => received.length === 4, 10)).toBe(true);
    expect(await receiver.waitFor((received) => received.length === 5, 10)).toBe(false);
  });
});
