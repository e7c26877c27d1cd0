/** Addresses of the wire as text. */

/** RW_FAMILY_UNIX. */
export const UNIX_FAMILY = 1;
const UNIX = 'unix:';
const UNIX_KINDS: readonly string[] = ['', '', '@', '~'];

/** True for addresses of Unix sockets, which stand for one socket of this host, whatever the network namespace. */
export function isUnix(address: string): boolean {
  return address.startsWith(UNIX);
}

/** The process that connected, of the address of a Unix client; undefined: it is none. */
export function unixClientPid(address: string): number | undefined {
  if (!address.startsWith(`${UNIX}~`)) return undefined;
  const pid = Number.parseInt(address.slice(address.indexOf('-') + 1), 16);
  return address.includes('-') && pid > 0 ? pid : undefined;
}

/** `unix:INODE-DEVICE`, `unix:@HASH-NETNS` (abstract), `unix:~NUMBER-PID` (a client's end); hexadecimal. */
function formatUnix(bytes: Uint8Array, at: number): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, 16);
  const kind = UNIX_KINDS[view.getUint8(12)] ?? '?';
  const device = view.getUint32(8, true);
  return `${UNIX}${kind}${view.getBigUint64(0, true).toString(16)}${device === 0 ? '' : `-${device.toString(16)}`}`;
}

/**
 * @param bytes   where the address stands, network order
 * @param family  4 (first 4 bytes), 6 (16 bytes) or UNIX_FAMILY; anything else gives ''
 * @returns canonical text: dotted quad, RFC 5952 (lower case, longest run of zeros as ::), or what `formatUnix` says
 */
export function formatAddress(bytes: Uint8Array, at: number, family: number): string {
  if (family === 4) return `${bytes[at]!}.${bytes[at + 1]!}.${bytes[at + 2]!}.${bytes[at + 3]!}`;
  if (family === UNIX_FAMILY) return formatUnix(bytes, at);
  if (family !== 6) return '';
  const groups = Array.from({ length: 8 }, (_, index) => bytes[at + index * 2]! * 256 + bytes[at + index * 2 + 1]!);
  let best = -1;
  let bestLength = 1;
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (start + length < 8 && groups[start + length] === 0) length++;
    if (length > bestLength) {
      best = start;
      bestLength = length;
    }
  }
  const text = (from: number, to: number): string =>
    groups
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(':');
  return best === -1 ? text(0, 8) : `${text(0, best)}::${text(best + bestLength, 8)}`;
}

export function isLoopback(address: string): boolean {
  return address.startsWith('127.') || address === '::1';
}

/** A socket that is bound to all addresses. */
export function isWildcard(address: string): boolean {
  return address === '0.0.0.0' || address === '::';
}
