/** What the parts of a comparison share. */
import { compareNames } from '../model/entity.ts';
import type { Side } from '../model/records.ts';
import type { KeptWindow } from './kept-window.ts';
import type { MinuteBlock } from './minute-block.ts';

/** Healthy windows before the incident and the windows since its onset, in detail and in minutes. */
export interface Selection {
  readonly baseline: readonly KeptWindow[];
  readonly baselineBlocks: readonly MinuteBlock[];
  readonly current: readonly KeptWindow[];
  readonly currentBlocks: readonly MinuteBlock[];
}

export function sideOf(code: number): Side {
  return code === 1 ? 'server' : 'client';
}

export function optional<K extends string>(key: K, value: string): { [P in K]?: string } {
  return (value === '' ? {} : { [key]: value }) as { [P in K]?: string };
}

/** Sorted by a text key in code-unit order, each key made once. */
export function sortBy<T>(items: readonly T[], key: (item: T) => string): T[] {
  return items
    .map((item) => ({ item, key: key(item) }))
    .sort((a, b) => compareNames(a.key, b.key))
    .map(({ item }) => item);
}
