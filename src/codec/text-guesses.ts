/**
 * Which texts a message will hold: collectors send much the same rows window after window, so mostly those of the message
 * with the same number in the window before. Guesses only: every one is compared with the bytes.
 */

/** Texts remembered, 16 MB of their numbers: twice what 10,000 services send in a window. It starts anew when full. */
const MAX_TOKENS = 4_194_304;
const MAX_SEQUENCE = 4_096;

const NONE = new Int32Array(0);
const remembered = new Map<number, { tokens: Int32Array; used: number }>();
let room = 0;
let epoch = -1;

/** A message's place: number of its collector's name in the cache of texts, its type, its sequence number. */
export function sourceOf(collector: number, isCall: boolean, sequence: number): number {
  return collector < 0 || sequence >= MAX_SEQUENCE ? -1 : (collector * 2 + (isCall ? 1 : 0)) * MAX_SEQUENCE + sequence;
}

export function guessesFor(source: number): Int32Array {
  const found = remembered.get(source);
  return found === undefined ? NONE : found.tokens.subarray(0, found.used);
}

/** @param now epoch of the tokens */
export function remember(source: number, tokens: readonly number[], now: number): void {
  if (source < 0) return;
  let found = now === epoch ? remembered.get(source) : undefined;
  if (found === undefined || found.tokens.length < tokens.length) {
    const length = tokens.length + (tokens.length >> 2);
    room += length - (found?.tokens.length ?? 0);
    if (now !== epoch || room > MAX_TOKENS) {
      remembered.clear();
      room = length;
    }
    epoch = now;
    if (room > MAX_TOKENS) return;
    found = { tokens: new Int32Array(length), used: 0 };
    remembered.set(source, found);
  }
  for (let i = 0; i < tokens.length; i++) found.tokens[i] = tokens[i]!;
  found.used = tokens.length;
}
