/** Questions and answers of DNS: what they are called, what fails, and that garbage is neither. */
import { describe, expect, it } from 'vitest';
import { Dns } from '../../../collector/protocols/dns/index.ts';
import { nameTemplate } from '../../../collector/protocols/dns/operation.ts';
import type { DatagramMessage } from '../../../collector/protocols/protocol.ts';
import { REQUEST, RESPONSE } from '../../../collector/protocols/protocol.ts';
import { A, AAAA, answer, message, PTR, question } from '../dns-messages.ts';

const read = (bytes: Buffer, dns = new Dns()): DatagramMessage | undefined => {
  const found = dns.read(bytes, 0, bytes.length);
  return found === undefined ? undefined : { ...found };
};

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

describe('names', () => {
  it.each([
    ['Postgres.Shop', 'postgres.shop'],
    ['catalog.shop.svc.cluster.local', 'catalog.shop.svc.cluster.local'],
    ['_http._tcp.cart.shop', '_http._tcp.cart.shop'],
    ['7.0.0.10.in-addr.arpa', '*.in-addr.arpa'],
    ['1.0.0.0.8.e.f.ip6.arpa', '*.ip6.arpa'],
    ['10-244-0-7.shop.pod.cluster.local', '*.shop.pod.cluster.local'],
    ['ip-10-0-3-17.eu-west-1.compute.internal', '*.eu-west-1.compute.internal'],
    ['kafka-12.kafka.shop', 'kafka-*.kafka.shop'],
    ['5f0c1d2e9a.cdn.example', '*.cdn.example'],
    ['4.3.2.1.zen.example', '*.zen.example'],
    ['a.b.c.d.e.f.g.h.i.j', '*.c.d.e.f.g.h.i.j'],
    ['wéird name.example', '*.example'],
    [`${'x'.repeat(60)}.example`, '*.example'],
    ['', '.'],
  ])('%s is %s', (name, expected) => {
    expect(nameTemplate(name)).toBe(expected);
  });
});

describe('messages', () => {
  it('reads what a resolver sends and gets', () => {
    // As dig +noedns A example.com and its answer, with a compressed name behind the question.
    const asked = Buffer.from('9c2e01200001000000000000076578616d706c6503636f6d0000010001', 'hex');
    const answered = Buffer.from(
      '9c2e81a00001000100000000076578616d706c6503636f6d0000010001c00c000100010000012c00045db8d822',
      'hex',
    );
    expect(read(asked)).toEqual({
      flow: REQUEST,
      key: 0x9c2e,
      operation: 'A example.com',
      status: '',
      errorType: undefined,
      isEnough: false,
    });
    expect(read(answered)).toEqual({
      flow: RESPONSE,
      key: 0x9c2e,
      operation: 'A example.com',
      status: 'NOERROR',
      errorType: undefined,
      isEnough: true,
    });
  });

  it.each([
    [AAAA, 'AAAA x.y'],
    [PTR, 'PTR x.y'],
    [33, 'SRV x.y'],
    [65, 'HTTPS x.y'],
    [65_280, 'TYPE65280 x.y'],
  ])('names type %i', (type, operation) => {
    expect(read(message('x.y', type))?.operation).toBe(operation);
  });

  it.each([
    [1, 'FORMERR', 'FORMERR'],
    [2, 'SERVFAIL', 'SERVFAIL'],
    [3, 'NXDOMAIN', undefined],
    [4, 'NOTIMP', 'NOTIMP'],
    [5, 'REFUSED', undefined],
    [9, 'NOTAUTH', undefined],
    [14, 'RCODE14', undefined],
  ])('tells rcode %i as %s', (rcode, status, errorType) => {
    expect(read(answer('x.y', rcode))).toMatchObject({ status, errorType });
  });

  it('takes neither a name without records nor an answer that was cut as an error', () => {
    const none = message('x.y', AAAA, { flags: 0x8180 });
    const cut = message('x.y', A, { flags: 0x8380 });
    for (const bytes of [none, cut]) expect(read(bytes)).toMatchObject({ status: 'NOERROR', errorType: undefined });
  });

  it('reads failures that do not repeat the question', () => {
    const bytes = message('', A, { flags: 0x8181, questions: 0 }).subarray(0, 12);
    expect(read(bytes)).toMatchObject({ key: 7, operation: '', status: 'FORMERR', errorType: 'FORMERR' });
  });

  it('names updates and notifications by what they do', () => {
    expect(read(message('shop', 6, { flags: 5 << 11 }))?.operation).toBe('UPDATE');
    expect(read(message('shop', 6, { flags: 4 << 11 }))?.operation).toBe('NOTIFY');
  });
});

describe('a name that is gone', () => {
  it('is an error where it was there, whatever the case of its letters', () => {
    const dns = new Dns();
    expect(read(answer('cart.shop', 3), dns)?.errorType).toBeUndefined();
    read(answer('Cart.Shop'), dns);
    expect(read(answer('cart.sHop', 3), dns)?.errorType).toBe('NXDOMAIN');
    expect(read(answer('cart.shop', 3, 7, AAAA), dns)?.errorType).toBeUndefined();
    expect(read(answer('cart.shop.example', 3), dns)?.errorType).toBeUndefined();
  });

  it('was not there when it had no records', () => {
    const dns = new Dns();
    read(answer('cart.shop', 0, 7, A, 0), dns);
    expect(read(answer('cart.shop', 3), dns)?.errorType).toBeUndefined();
  });

  it('is forgotten after those that were asked for since', () => {
    const dns = new Dns(3);
    for (const name of ['a.shop', 'b.shop', 'c.shop', 'a.shop', 'd.shop']) read(answer(name), dns);
    const gone = ['a.shop', 'b.shop', 'c.shop', 'd.shop'].map((name) => read(answer(name, 3), dns)?.errorType);
    expect(gone).toEqual(['NXDOMAIN', undefined, 'NXDOMAIN', 'NXDOMAIN']);
  });
});

describe('what is no message', () => {
  it.each([
    ['too short', Buffer.alloc(11)],
    ['a question that is cut', question('cart.shop').subarray(0, 20)],
    ['a type that is cut', question('cart.shop').subarray(0, -3)],
    ['a question without one', message('x', A, { questions: 0 })],
    ['a compressed question', Buffer.concat([message('', A).subarray(0, 12), Buffer.from([0xc0, 0x0c, 0, 1, 0, 1])])],
    ['a name without an end', Buffer.concat([message('', A).subarray(0, 12), Buffer.alloc(500, 1)])],
    ['an operation that is not known', message('x', A, { flags: 6 << 11 })],
  ])('%s', (_what, bytes) => {
    expect(read(bytes)).toBeUndefined();
  });

  it.each([21, 22, 23])('never throws and keeps its bounds, seed %i', (seed) => {
    const next = random(seed);
    const dns = new Dns();
    for (let round = 0; round < 20_000; round++) {
      const whole = next() < 0.5 ? answer('cart-7.shop.example', Math.floor(next() * 16)) : question('x.y');
      const bytes =
        next() < 0.3 ? Buffer.from(Array.from({ length: next() * 80 }, () => next() * 256)) : Buffer.from(whole);
      for (let k = 0; k < bytes.length; k++) if (next() < 0.03) bytes[k] = Math.floor(next() * 256);
      const start = Math.floor(next() * 4);
      const found = dns.read(bytes, start, Math.floor(start + next() * (bytes.length + 1 - start)));
      expect(found === undefined || found.operation.length <= 300).toBe(true);
    }
  });
});
