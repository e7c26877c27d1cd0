/** Seeded random numbers for load and services: the same seed gives the same requests. */
import { fnv1a } from '../src/stats/fnv1a.ts';

/** mulberry32: numbers in [0, 1), 32-bit state. Source: Tommy Ettinger, public domain. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** A seed for a part of a run: FNV-1a of the name, mixed with the run's seed. */
export function seedFor(seed: number, name: string): number {
  return fnv1a(name, 0x811c9dc5 ^ seed);
}
