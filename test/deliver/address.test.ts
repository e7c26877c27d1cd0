import type { LookupAddress } from 'node:dns';
import { describe, expect, it } from 'vitest';
import { guardedLookup, isPrivateAddress } from '../../src/deliver/address.ts';

describe('isPrivateAddress', () => {
  it.each([
    '0.0.0.0',
    '10.1.2.3',
    '100.64.0.1',
    '127.0.0.1',
    '127.255.255.254',
    '169.254.169.254',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '198.18.0.1',
    '224.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    'fe80::1',
    'fe80::1%eth0',
    'fc00::1',
    'fd12::1',
    'ff02::1',
    '::ffff:127.0.0.1',
    '::ffff:8.8.8.8',
    '64:ff9b::a00:1',
    '2002:7f00:1::',
    '2001:db8::1',
    'not an address',
  ])('%s is', (address) => expect(isPrivateAddress(address)).toBe(true));

  it.each(['8.8.8.8', '1.1.1.1', '172.32.0.1', '100.128.0.1', '192.169.0.1', '2606:4700::1111', '2a00:1450:4001::1'])(
    '%s is not',
    (address) => expect(isPrivateAddress(address)).toBe(false),
  );
});

describe('guardedLookup', () => {
  const resolving = (addresses: LookupAddress[]): ReturnType<typeof guardedLookup> =>
    guardedLookup((_host, _options, done) => done(null, addresses));
  const run = (lookup: ReturnType<typeof guardedLookup>, all: boolean): Promise<unknown> =>
    new Promise((resolve, reject) => {
      lookup('host.example', { all }, (error, address) => (error === null ? resolve(address) : reject(error)));
    });

  it('hands on the very addresses it judged', async () => {
    const addresses = [
      { address: '8.8.8.8', family: 4 },
      { address: '2606:4700::1111', family: 6 },
    ];
    expect(await run(resolving(addresses), true)).toEqual(addresses);
    expect(await run(resolving(addresses), false)).toBe('8.8.8.8');
  });

  it('refuses a name with one private address among public ones', async () => {
    const mixed = [
      { address: '8.8.8.8', family: 4 },
      { address: '10.0.0.1', family: 4 },
    ];
    await expect(run(resolving(mixed), true)).rejects.toThrow(/host\.example is the private address 10\.0\.0\.1/);
  });
});
