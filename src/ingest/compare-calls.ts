/**
 * Calls before and during an incident, leaf by leaf. Calls that had not ended when a window did are told again with each window:
 * as many count as there were at the end of a window (mean).
 */
import type { CallLeaf, CallSums, Stretches } from '../model/comparison.ts';
import type { Tags } from '../model/records.ts';
import { ACTIVE } from '../model/records.ts';
import { CALL_KEY_WIDTH, KEY_ERROR_TYPE, KEY_OPERATION, KEY_PROTOCOL, KEY_STATUS, KEY_TAGS } from '../model/window.ts';
import type { Selection } from './compare-parts.ts';
import { endsKey, endsOf, optional, sortBy } from './compare-parts.ts';
import type { Scope } from './compare-scope.ts';
import type { Slots } from './compare-slots.ts';
import { activeOnes, slotsOf } from './compare-slots.ts';
import { StretchSums } from './compare-stretches.ts';
import { lossFactors, lossyCollectors } from './coverage.ts';
import type { Identities } from './identities.ts';
import type { KeptWindow } from './kept-window.ts';
import type { MinuteBlock } from './minute-block.ts';
import { Unpacker } from './packed.ts';
import type { SeriesStore } from './store.ts';

class LeafSums {
  readonly count: Float64Array;
  readonly errors: Float64Array;
  readonly duration: Float64Array;
  readonly square: Float64Array;
  readonly #leaves: readonly number[];
  readonly #collector: Uint32Array;
  readonly #factors: ReadonlyMap<number, number>;
  /** Slot -> what its sums are multiplied by. */
  readonly #perWindow: Float64Array;

  /** @param isActive  slot -> 1: calls that have not ended */
  constructor(
    { calls, names }: Identities,
    { leaves, of }: Slots,
    isActive: Uint8Array,
    windows: readonly KeptWindow[],
    blocks: readonly MinuteBlock[],
    stretches?: StretchSums,
  ) {
    const all = windows.length + blocks.reduce((sum, block) => sum + block.windows, 0);
    this.#perWindow = Float64Array.from(isActive, (active) => (active === 1 ? 1 / Math.max(1, all) : 1));
    this.#leaves = leaves;
    this.#collector = calls.collector;
    this.#factors = lossFactors(windows, blocks, names);
    this.count = new Float64Array(leaves.length);
    this.errors = new Float64Array(leaves.length);
    this.duration = new Float64Array(leaves.length);
    this.square = new Float64Array(leaves.length);
    const unpacker = new Unpacker();
    for (const block of blocks) {
      const { rows, leaf, count, errors, duration, durationSquare } = block.sums().calls;
      const [leafOf] = unpacker.take([leaf], rows);
      stretches?.next(block.windows);
      for (let r = 0; r < rows; r++) {
        const slot = of[leafOf![r]!]!;
        if (slot < 0) continue;
        this.#add(slot, count.at(r), errors.at(r), duration.at(r), durationSquare.at(r));
        if (isActive[slot] === 0) stretches?.add(slot, count.at(r), errors.at(r), duration.at(r));
      }
    }
    for (const window of windows) {
      const { calls } = window;
      const lossy = new Set(lossyCollectors(window).map((collector) => names.id(collector)));
      const [leafOf] = unpacker.take([calls.leaf], calls.rows);
      stretches?.next(1);
      for (let r = 0; r < calls.rows; r++) {
        const slot = of[leafOf![r]!]!;
        if (slot < 0 || (lossy.size > 0 && lossy.has(this.#collector[leafOf![r]!]!))) continue;
        const count = calls.count.at(r);
        const errors = calls.errors.at(r);
        const duration = calls.durationSumUs.at(r);
        this.#add(slot, count, errors, duration, count > 0 ? (duration * duration) / count : 0);
        if (isActive[slot] === 0) stretches?.add(slot, count, errors, duration);
      }
    }
  }

  #add(slot: number, count: number, errors: number, duration: number, square: number): void {
    this.count[slot] = this.count[slot]! + count;
    this.errors[slot] = this.errors[slot]! + errors;
    this.duration[slot] = this.duration[slot]! + duration;
    this.square[slot] = this.square[slot]! + square;
  }

  /** False: whoever reports the leaf lost its records of every window. */
  isKnown(slot: number): boolean {
    return this.#factor(slot) < Infinity;
  }

  sums(slot: number): CallSums {
    const factor = this.#factor(slot) * this.#perWindow[slot]!;
    return {
      count: this.count[slot]! * factor,
      errors: this.errors[slot]! * factor,
      durationSumUs: this.duration[slot]! * factor,
      durationSquareUs2: this.square[slot]! * factor,
    };
  }

  #factor(slot: number): number {
    return this.#factors.get(this.#collector[this.#leaves[slot]!]!) ?? 1;
  }
}

/** Leaf by leaf before and during, and edge by edge in stretches of before. Cost: O(rows). */
export function compareCalls(
  store: SeriesStore,
  selection: Selection,
  scope: Scope,
): { readonly calls: readonly CallLeaf[]; readonly stretches: Stretches } {
  const slots = slotsOf(store.identities.calls, scope, selection.callLeaves);
  const stretches = new StretchSums(store.identities, slots, selection);
  const { baseline: windows, baselineBlocks: blocks } = selection;
  const isActive = activeOnes(store.identities, slots);
  const { current: now, currentBlocks } = selection;
  const baseline = new LeafSums(store.identities, slots, isActive, windows, blocks, stretches);
  const current = new LeafSums(store.identities, slots, isActive, now, currentBlocks);
  return { calls: callLeaves(store, slots, baseline, current).map(waited), stretches: stretches.result() };
}

/** Who still waits for an answer has none: as if the call were given up then. Its callee has not failed. */
function waited(leaf: CallLeaf): CallLeaf {
  if (leaf.status !== ACTIVE || leaf.side !== 'client') return leaf;
  const failed = (sums: CallSums): CallSums => ({ ...sums, errors: sums.count });
  return { ...leaf, errorType: 'timeout', baseline: failed(leaf.baseline), current: failed(leaf.current) };
}

function callLeaves({ identities }: SeriesStore, slots: Slots, baseline: LeafSums, current: LeafSums): CallLeaf[] {
  const { calls: directory, names } = identities;
  const leaves: CallLeaf[] = [];
  for (let slot = 0; slot < slots.leaves.length; slot++) {
    if (baseline.count[slot] === 0 && current.count[slot] === 0) continue;
    if (!baseline.isKnown(slot) || !current.isKnown(slot)) continue;
    const leaf = slots.leaves[slot]!;
    const part = (at: number): string => names.name(directory.keys[leaf * CALL_KEY_WIDTH + at]!);
    const tags = part(KEY_TAGS);
    leaves.push({
      ...endsOf(directory, leaf, names),
      protocol: part(KEY_PROTOCOL),
      operation: part(KEY_OPERATION),
      status: part(KEY_STATUS),
      ...optional('errorType', part(KEY_ERROR_TYPE)),
      ...(tags === '' ? {} : { tags: JSON.parse(tags) as Tags }),
      baseline: baseline.sums(slot),
      current: current.sums(slot),
    });
  }
  return sortBy(leaves, (leaf) =>
    [
      endsKey(leaf),
      leaf.protocol,
      leaf.operation,
      leaf.status,
      leaf.errorType,
      leaf.tags === undefined ? '' : JSON.stringify(leaf.tags),
    ].join('\0'),
  );
}
