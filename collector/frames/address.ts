/** Addresses of the wire as text. */

/**
 * @param bytes   where the address stands, network order
 * @param family  4 (first 4 bytes) or 6 (16 bytes); anything else gives ''
 * @returns canonical text: dotted quad, or RFC 5952 (lower case, longest run of zeros as ::)
 */
export function formatAddress(bytes: Uint8Array, at: number, family: number): string {
  if (family === 4) return `${bytes[at]!}.${bytes[at + 1]!}.${bytes[at + 2]!}.${bytes[at + 3]!}`;
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
