/**
 * UTF-8 bytes -> text, remembered by the bytes: dictionaries repeat the same names message after message, and finding
 * one takes a tenth of decoding it. Only a cache: the same bytes give the same text with or without it.
 */

import { avalanche, mixWord } from '../model/murmur3.ts';

/** Longer texts are decoded each time. */
const MAX_TEXT_BYTES = 128;
/** Bounds of the cache; it starts anew when one is reached. About 16 MB with the texts. */
const MAX_TEXTS = 131_072;
const MAX_WORDS = MAX_TEXTS * 6;
/** A text not found after so many slots is decoded and not kept, so that colliding names cannot slow the engine down. */
const MAX_PROBES = 16;

const SLOTS = MAX_TEXTS * 4;
/** Per text: hash; first word << 8 | length in bytes; the two texts that followed last, + 1 each. */
const WIDTH = 4;
const PLACE = 1;
const NEXT = 2;
const OTHER = 3;

const texts: string[] = [];
let entries = new Int32Array(1_024 * WIDTH);
let words = new Int32Array(8_192);
let slots = new Int32Array(4_096);
let wordsUsed = 0;
let previous = 0;
/** Counts how often the cache started anew: numbers of texts hold within one epoch. */
let epoch = 0;
let token = -1;

/** Numbers of the texts that are likely to come, in order, and how far along we are. */
let guesses: Int32Array = new Int32Array(0);
let guessAt = 0;
/** After a text that was not guessed, the place to go on at is looked for this far ahead. */
const RESYNC = 8;

const scratch = new Int32Array(MAX_TEXT_BYTES / 4 + 1);

/** Number of the text handed out last; -1: it has none. */
export function lastToken(): number {
  return token;
}

export function tokenEpoch(): number {
  return epoch;
}

/** The next texts will mostly be these, in this order: those of the message before at the same place. Any will do. */
export function guess(numbers: Int32Array): void {
  guesses = numbers;
  guessAt = 0;
}

/** @param view of the same bytes as `buffer`. Cost: O(length). */
export function textOf(buffer: Buffer, view: DataView, at: number, length: number): string {
  token = -1;
  if (length === 0) return '';
  if (length > MAX_TEXT_BYTES) return buffer.toString('utf8', at, at + length);
  if (guessAt < guesses.length) {
    const likely = guesses[guessAt]!;
    if (likely >= 0 && isSame(view, at, length, entries[likely * WIDTH + PLACE]!)) {
      guessAt++;
      return take(likely);
    }
  }
  const text = unguessed(buffer, view, at, length);
  for (let k = guessAt; k < guessAt + RESYNC && k < guesses.length; k++) {
    if (guesses[k] === token) {
      guessAt = k + 1;
      break;
    }
  }
  return text;
}

function unguessed(buffer: Buffer, view: DataView, at: number, length: number): string {
  const next = entries[previous * WIDTH + NEXT]! - 1;
  if (next >= 0 && isSame(view, at, length, entries[next * WIDTH + PLACE]!)) return take(next);
  const other = entries[previous * WIDTH + OTHER]! - 1;
  if (other >= 0 && isSame(view, at, length, entries[other * WIDTH + PLACE]!)) return follow(other);
  return lookUp(buffer, view, at, length);
}

/** Words of four bytes, the last one overlapping; below four bytes one word. */
function isSame(view: DataView, at: number, length: number, place: number): boolean {
  if ((place & 255) !== length) return false;
  let word = place >> 8;
  if (length < 4) return words[word] === shortWord(view, at, length);
  const last = at + length - 4;
  if (words[word + ((length - 1) >> 2)] !== view.getInt32(last, true)) return false;
  for (let k = at; k < last; k += 4) if (words[word++] !== view.getInt32(k, true)) return false;
  return true;
}

function shortWord(view: DataView, at: number, length: number): number {
  let word = view.getUint8(at);
  if (length > 1) word |= view.getUint8(at + 1) << 8;
  if (length > 2) word |= view.getUint8(at + 2) << 16;
  return word;
}

function lookUp(buffer: Buffer, view: DataView, at: number, length: number): string {
  const count = (length + 3) >> 2;
  const last = at + length - 4;
  if (length < 4) scratch[0] = shortWord(view, at, length);
  else {
    for (let k = at, w = 0; k < last; k += 4) scratch[w++] = view.getInt32(k, true);
    scratch[count - 1] = view.getInt32(last, true);
  }
  const hash = hashOf(count, length);
  const mask = slots.length - 1;
  for (let probe = 0, slot = hash & mask; probe < MAX_PROBES; probe++, slot = (slot + 1) & mask) {
    const id = slots[slot]! - 1;
    if (id < 0) return insert(buffer.toString('utf8', at, at + length), hash, length, count, slot);
    const place = entries[id * WIDTH + PLACE]!;
    if (entries[id * WIDTH] !== hash || (place & 255) !== length) continue;
    const word = place >> 8;
    let k = 0;
    while (k < count && words[word + k] === scratch[k]) k++;
    if (k === count) return follow(id);
  }
  return buffer.toString('utf8', at, at + length);
}

function follow(id: number): string {
  const from = previous * WIDTH;
  entries[from + OTHER] = entries[from + NEXT]!;
  entries[from + NEXT] = id + 1;
  return take(id);
}

function take(id: number): string {
  previous = id;
  token = id;
  return texts[id]!;
}

function hashOf(count: number, length: number): number {
  let h = length;
  for (let i = 0; i < count; i++) h = mixWord(h, scratch[i]!);
  // Signed, as it is kept.
  return avalanche(h) | 0;
}

function insert(text: string, hash: number, length: number, count: number, slot: number): string {
  if (texts.length >= MAX_TEXTS || wordsUsed + count > MAX_WORDS) {
    clear();
    return text;
  }
  const id = texts.length;
  if ((id + 1) * WIDTH > entries.length) entries = grown(entries);
  while (wordsUsed + count > words.length) words = grown(words);
  texts.push(text);
  for (let k = 0; k < count; k++) words[wordsUsed + k] = scratch[k]!;
  entries[id * WIDTH] = hash;
  entries[id * WIDTH + PLACE] = (wordsUsed << 8) | length;
  entries[id * WIDTH + NEXT] = 0;
  entries[id * WIDTH + OTHER] = 0;
  wordsUsed += count;
  slots[slot] = id + 1;
  if (texts.length * 4 > slots.length && slots.length < SLOTS) rehash();
  return follow(id);
}

function rehash(): void {
  slots = new Int32Array(slots.length * 2);
  const mask = slots.length - 1;
  for (let id = 0; id < texts.length; id++) {
    let slot = entries[id * WIDTH]! & mask;
    while (slots[slot] !== 0) slot = (slot + 1) & mask;
    slots[slot] = id + 1;
  }
}

function clear(): void {
  texts.length = 0;
  entries.fill(0);
  slots.fill(0);
  wordsUsed = 0;
  previous = 0;
  epoch++;
}

function grown(from: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const to = new Int32Array(from.length * 2);
  to.set(from);
  return to;
}
