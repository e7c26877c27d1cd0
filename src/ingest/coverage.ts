/**
 * Counts of windows in which a collector's records are known to be lost say less than they seem: its rows of such windows
 * are left out and its sums scaled by the share of windows that is whole. Silence is not treated so: a host that is gone
 * took its traffic along.
 */
import type { Names } from '../model/window.ts';
import { incompleteCollectors } from '../model/window.ts';
import type { KeptWindow } from './kept-window.ts';
import type { MinuteBlock } from './minute-block.ts';

/** Collectors (by name) whose call records of a window are known to be incomplete. */
export function lossyCollectors(window: KeptWindow): readonly string[] {
  return incompleteCollectors(window.incomplete, 'call');
}

/**
 * @returns name id of a collector -> factor of its sums (1 or more; Infinity: no window is whole, nothing is known).
 *   Collectors that lost nothing are not in it. Cost: O(windows + losses).
 */
export function lossFactors(
  windows: readonly KeptWindow[],
  blocks: readonly MinuteBlock[],
  names: Names,
): ReadonlyMap<number, number> {
  const lost = new Map<string, number>();
  const add = (collector: string, count: number): void => {
    lost.set(collector, (lost.get(collector) ?? 0) + count);
  };
  for (const window of windows) for (const collector of lossyCollectors(window)) add(collector, 1);
  for (const block of blocks) for (const [collector, count] of block.lossy) add(collector, count);
  const all = windows.length + blocks.reduce((sum, block) => sum + block.windows, 0);
  return new Map([...lost].map(([collector, count]) => [names.id(collector), all / (all - count)]));
}
