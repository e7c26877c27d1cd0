/**
 * Several services of one host that call the same callee have one address there, and its host's collector cannot tell them
 * apart. What it saw is divided among them as their own side counted their calls in the same window: by operation and
 * status where it can, else by operation, else by all. So what the callee took is that of the operation, whoever called;
 * sums over callers, which services and instances are judged by, stay as they are.
 */
import type { CallTable } from '../model/window.ts';
import {
  KEY_CALLEE,
  KEY_CALLER,
  KEY_CALLER_INSTANCE,
  KEY_OPERATION,
  KEY_PROTOCOL,
  KEY_SIDE,
  KEY_STATUS,
} from '../model/window.ts';
import type { Directory } from './directory.ts';
import type { Joins, Named } from './joins.ts';

export interface Part {
  readonly caller: Named;
  /** Of a row; those of a row add up to 1. */
  readonly weight: number;
}

/** Who called a callee from a shared address, and how much: what the callers themselves counted in a window. */
export class CallerShares {
  readonly #joins: Joins;
  readonly #counts = new Map<string, number>();
  /** No callee sees several services under one address. */
  readonly #areNone: boolean;

  /** @param leafOf  the leaf with names in the place of addresses. Cost: O(rows). */
  constructor(calls: CallTable, directory: Directory, leafOf: (leaf: number) => number, joins: Joins) {
    this.#joins = joins;
    const callees = new Set(joins.sharedCallees());
    this.#areNone = callees.size === 0;
    if (this.#areNone) return;
    for (let row = 0; row < calls.rows; row++) {
      const at = leafOf(calls.leaf[row]!) * directory.width;
      const { keys } = directory;
      if (keys[at + KEY_SIDE] !== 0 || !callees.has(keys[at + KEY_CALLEE]!)) continue;
      for (const key of keysOf(keys, at, keys[at + KEY_CALLER_INSTANCE]!))
        this.#counts.set(key, (this.#counts.get(key) ?? 0) + calls.count[row]!);
    }
  }

  /** Of a leaf of calls. @returns none where the caller is one, or none of those who share the address counted a call */
  ofCalls(keys: Uint32Array, at: number): readonly Part[] {
    return this.#parts(keys[at + KEY_CALLER]!, keys[at + KEY_CALLEE]!, (instance) => keysOf(keys, at, instance));
  }

  ofEdge(caller: number, callee: number): readonly Part[] {
    return this.#parts(caller, callee, (instance) => [allOf(instance, callee)]);
  }

  /** @param detail  of an instance: keys, the closest first */
  #parts(caller: number, callee: number, detail: (instance: number) => readonly string[]): readonly Part[] {
    if (this.#areNone) return WHOLE;
    const callers = this.#joins.sharing(caller, callee);
    if (callers.length === 0) return WHOLE;
    const details = callers.map(({ instance }) => detail(instance));
    for (let level = 0; level < details[0]!.length; level++) {
      const counts = details.map((keys) => this.#counts.get(keys[level]!) ?? 0);
      const total = counts.reduce((sum, count) => sum + count, 0);
      if (total > 0)
        return callers.flatMap((one, i) => (counts[i]! > 0 ? [{ caller: one, weight: counts[i]! / total }] : []));
    }
    return WHOLE;
  }
}

/** Nothing to divide. */
const WHOLE: readonly Part[] = [];

function keysOf(keys: Uint32Array, at: number, instance: number): string[] {
  const callee = keys[at + KEY_CALLEE]!;
  const operation = `${allOf(instance, callee)}/${keys[at + KEY_PROTOCOL]}/${keys[at + KEY_OPERATION]}`;
  return [`${operation}/${keys[at + KEY_STATUS]}`, operation, allOf(instance, callee)];
}

function allOf(instance: number, callee: number): string {
  return `${instance}/${callee}`;
}
