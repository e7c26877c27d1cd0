/**
 * Keeps webhooks away from addresses inside (SSRF): loopback, private, link-local, metadata services, and every range that
 * is not public unicast. The name is resolved once, judged, and the very addresses judged are the ones connected to, so a
 * name that changes between the two (DNS rebinding) gains nothing.
 */
import type { LookupAddress, LookupOptions } from 'node:dns';
import { lookup } from 'node:dns';
import { BlockList, isIP, isIPv6 } from 'node:net';
import { RcaError } from '../model/errors.ts';

/** IANA special-purpose registries (RFC 6890 and its updates), multicast and reserved. */
const BLOCKED_V4: readonly (readonly [network: string, prefix: number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
];
/** Public unicast is 2000::/3; out of it, what tunnels or documents. Everything else of IPv6 is blocked. */
const BLOCKED_V6: readonly (readonly [network: string, prefix: number])[] = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
];

const v4 = new BlockList();
for (const [network, prefix] of BLOCKED_V4) v4.addSubnet(network, prefix, 'ipv4');
const v6 = new BlockList();
for (const [network, prefix] of BLOCKED_V6) v6.addSubnet(network, prefix, 'ipv6');
const publicV6 = new BlockList();
publicV6.addSubnet('2000::', 3, 'ipv6');

/** True for every address that is not public unicast. */
export function isPrivateAddress(address: string): boolean {
  const bare = address.replace(/%.*$/, '');
  if (!isIPv6(bare)) return isIP(bare) === 0 || v4.check(bare, 'ipv4');
  return !publicV6.check(bare, 'ipv6') || v6.check(bare, 'ipv6');
}

/** Host of a URL without the brackets of IPv6. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '');
}

function refuse(host: string, address: string): RcaError {
  return new RcaError(
    'RCA_DELIVERY',
    `webhook host ${host} is the private address ${address}: set "allowPrivateAddresses": true for this receiver if that is meant`,
    { host, address },
  );
}

/** @throws {RcaError} RCA_DELIVERY when the URL names a private address itself (no lookup happens for those) */
export function checkLiteralAddress(url: URL): void {
  const host = hostOf(url);
  if (isIP(host) !== 0 && isPrivateAddress(host)) throw refuse(host, host);
}

type LookupCallback = (error: Error | null, address: string | LookupAddress[], family?: number) => void;
type Resolver = (
  host: string,
  options: LookupOptions & { all: true },
  done: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

/** A `lookup` for sockets that refuses a name as soon as one of its addresses is private. */
export function guardedLookup(
  resolve: Resolver = lookup,
): (host: string, options: LookupOptions, done: LookupCallback) => void {
  return (host, options, done) => {
    resolve(host, { ...options, all: true }, (error, addresses) => {
      if (error !== null) {
        done(error, []);
        return;
      }
      const inside = addresses.find(({ address }) => isPrivateAddress(address));
      if (inside !== undefined) {
        done(refuse(host, inside.address), []);
        return;
      }
      const [first] = addresses;
      if (options.all === true) done(null, addresses);
      else if (first === undefined) done(new Error(`${host} has no address`), []);
      else done(null, first.address, first.family);
    });
  };
}
