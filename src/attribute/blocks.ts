/** Leaves of a block: a few columns of so many stay in the cache. */
const BLOCK = 4096;

/**
 * A loop over leaves, block by block. The function that loops gets a range and does nothing else: called once per block
 * it is compiled as a whole after a few calls, while one long loop begins in slow code each time it is entered. What
 * several loops read is read from memory once when they take turns block by block.
 */
export function forBlocks(size: number, loop: (from: number, to: number) => void): void {
  for (let from = 0; from < size; from += BLOCK) loop(from, Math.min(size, from + BLOCK));
}

/** The same for a search: the loop returns where it stopped, the end of its range when it found nothing. */
export function firstInBlocks(size: number, find: (from: number, to: number) => number): number {
  for (let from = 0; from < size; from += BLOCK) {
    const to = Math.min(size, from + BLOCK);
    const at = find(from, to);
    if (at < to) return at;
  }
  return size;
}
