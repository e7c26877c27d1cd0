/** What the parts of a comparison share. */
import { compareNames } from '../model/entity.ts';
import type { Side } from '../model/records.ts';
import type { LeafDirectory, Names } from '../model/window.ts';
import {
  KEY_CALLEE,
  KEY_CALLEE_INSTANCE,
  KEY_CALLEE_MACHINE,
  KEY_CALLER,
  KEY_CALLER_INSTANCE,
  KEY_CALLER_MACHINE,
  KEY_SIDE,
} from '../model/window.ts';
import type { KeptWindow } from './kept-window.ts';
import type { MinuteBlock } from './minute-block.ts';

/** Healthy windows before the incident and the windows since its onset, in detail and in minutes. */
export interface Selection {
  readonly baseline: readonly KeptWindow[];
  readonly baselineBlocks: readonly MinuteBlock[];
  readonly current: readonly KeptWindow[];
  readonly currentBlocks: readonly MinuteBlock[];
  /** Windows since its onset before `current`: they tell when something began, and count for nothing else. */
  readonly skipped: readonly KeptWindow[];
  /** Start of the first of all but the skipped; Infinity: there is none. */
  readonly fromMs: number;
  /** Leaves that a closed window from then on had. */
  readonly callLeaves: Uint32Array;
  readonly tcpLeaves: Uint32Array;
  /** The incident began before the single windows that are kept: what these show from the first on may have begun earlier. */
  readonly isCut: boolean;
}

/** Who calls whom, and where; a name that is not known is absent. */
export interface Ends {
  readonly caller: string;
  readonly callee: string;
  readonly callerInstance?: string;
  readonly calleeInstance?: string;
  readonly callerMachine?: string;
  readonly calleeMachine?: string;
}

/** The ends of a directory's leaf, and the side that saw it. */
export function endsOf(directory: LeafDirectory, leaf: number, names: Names): Ends & { readonly side: Side } {
  const key = (at: number): number => directory.keys[leaf * directory.width + at]!;
  const part = (at: number): string => names.name(key(at));
  return {
    caller: part(KEY_CALLER),
    callee: part(KEY_CALLEE),
    ...optional('callerInstance', part(KEY_CALLER_INSTANCE)),
    ...optional('calleeInstance', part(KEY_CALLEE_INSTANCE)),
    ...optional('callerMachine', part(KEY_CALLER_MACHINE)),
    ...optional('calleeMachine', part(KEY_CALLEE_MACHINE)),
    side: key(KEY_SIDE) === 1 ? 'server' : 'client',
  };
}

/** What rows are sorted by first. */
export function endsKey(ends: Ends & { readonly side: Side }): string {
  const { caller, callee, callerInstance, calleeInstance, callerMachine, calleeMachine, side } = ends;
  return [caller, callee, callerInstance, calleeInstance, callerMachine, calleeMachine, side].join('\0');
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
