/** TCP counters of each leaf before and during an incident. */
import { TCP_FIELDS } from '../model/columns.ts';
import type { MetricPair, TcpEdge } from '../model/comparison.ts';
import { compareNames } from '../model/entity.ts';
import type { Names } from '../model/window.ts';
import { KEY_PORT, TCP_KEY_WIDTH } from '../model/window.ts';
import type { Selection } from './compare-parts.ts';
import { endsKey, endsOf, sortBy } from './compare-parts.ts';
import type { Scope } from './compare-scope.ts';
import type { Slots } from './compare-slots.ts';
import { slotsOf } from './compare-slots.ts';
import type { KeptWindow } from './kept-window.ts';
import { PairBuilder } from './metric-pairs.ts';
import { Unpacker } from './packed.ts';
import type { SeriesStore } from './store.ts';

/** Where each of the windows has the leaves. */
class Places {
  readonly slots: Slots;
  readonly windows: readonly KeptWindow[];
  /** Slot by slot the row in each window; -1: none. */
  readonly rows: Int32Array;

  constructor(slots: Slots, windows: readonly KeptWindow[]) {
    this.slots = slots;
    this.windows = windows;
    const count = windows.length;
    this.rows = new Int32Array(slots.leaves.length * count).fill(-1);
    const unpacker = new Unpacker();
    windows.forEach(({ tcp }, w) => {
      const [leaf] = unpacker.take([tcp.leaf], tcp.rows);
      for (let r = 0; r < tcp.rows; r++) {
        const slot = slots.of[leaf![r]!]!;
        if (slot >= 0) this.rows[slot * count + w] = r;
      }
    });
  }
}

/** Drops and connect failures by reason: slot -> metric name -> value per window; a reason not listed is zero. */
class Reasons {
  readonly #values = new Map<number, Map<string, Float64Array>>();
  readonly #places: Places;
  readonly #names: Names;

  constructor(places: Places, names: Names) {
    this.#places = places;
    this.#names = names;
  }

  add(prefix: string, kind: 'drop' | 'failure'): void {
    this.#places.windows.forEach(({ tcp }, w) => {
      const rows = kind === 'drop' ? tcp.dropRow : tcp.failureRow;
      const reasons = kind === 'drop' ? tcp.dropReason : tcp.failureReason;
      const values = kind === 'drop' ? tcp.dropValue : tcp.failureValue;
      for (let i = 0; i < rows.length; i++) {
        const slot = this.#places.slots.of[tcp.leaf.at(rows[i]!)]!;
        if (slot < 0) continue;
        this.#series(slot, `${prefix}.${this.#names.name(reasons[i]!)}`, kind)[w] = values[i]!;
      }
    });
  }

  #series(slot: number, metric: string, kind: 'drop' | 'failure'): Float64Array {
    let metrics = this.#values.get(slot);
    if (metrics === undefined) {
      metrics = new Map();
      this.#values.set(slot, metrics);
    }
    let series = metrics.get(metric);
    if (series === undefined) {
      const { windows, rows } = this.#places;
      const count = windows.length;
      series = new Float64Array(count).fill(Number.NaN);
      for (let w = 0; w < count; w++) {
        const row = rows[slot * count + w]!;
        const { tcp } = windows[w]!;
        if (row >= 0 && (kind === 'drop' ? tcp.hasDrops : tcp.hasConnectFailures).at(row) === 1) series[w] = 0;
      }
      metrics.set(metric, series);
    }
    return series;
  }

  of(slot: number): [string, Float64Array][] {
    return [...(this.#values.get(slot) ?? [])].sort(([a], [b]) => compareNames(a, b));
  }
}

export function tcpEdges(store: SeriesStore, selection: Selection, scope: Scope): TcpEdge[] {
  const { tcp: directory, names } = store.identities;
  const slots = slotsOf(directory, scope, selection.tcpLeaves);
  const { leaves } = slots;
  const places = new Places(slots, [...selection.baseline, ...selection.skipped, ...selection.current]);
  const reasons = new Reasons(places, names);
  reasons.add('drops', 'drop');
  reasons.add('connectFailures', 'failure');
  const pairs = new PairBuilder(
    selection.baseline.length,
    selection.skipped.length,
    [...selection.skipped, ...selection.current].map((window) => window.startMs),
    selection.isCut,
  );
  const metricsOf = counters(places, earlier(selection, slots), pairs);

  const edges: TcpEdge[] = [];
  for (let slot = 0; slot < leaves.length; slot++) {
    const metrics = metricsOf[slot]!;
    for (const [metric, series] of reasons.of(slot)) {
      const pair = pairs.build(metric, series, undefined, selection.baseline.length);
      if (pair !== undefined) metrics.push(pair);
    }
    if (metrics.length === 0) continue;
    const leaf = leaves[slot]!;
    const port = directory.keys[leaf * TCP_KEY_WIDTH + KEY_PORT]!;
    edges.push({
      ...endsOf(directory, leaf, names),
      ...(port === 0 ? {} : { calleePort: port - 1 }),
      metrics,
    });
  }
  return sortBy(edges, (edge) => [endsKey(edge), edge.calleePort].join('\0'));
}

/** Field by field, as windows keep them. Cost: O(fields * slots * windows). */
function counters({ slots, windows, rows }: Places, before: Earlier, pairs: PairBuilder): MetricPair[][] {
  const { leaves } = slots;
  const count = windows.length;
  const metrics = leaves.map((): MetricPair[] => []);
  const values = new Float64Array(leaves.length * count);
  TCP_FIELDS.forEach((field, f) => {
    if (!before.any && windows.every(({ tcp }) => tcp.values[f]!.unknown)) return;
    windows.forEach(({ tcp }, w) => {
      tcp.values[f]!.gather(rows, w, count, values);
    });
    for (let slot = 0; slot < leaves.length; slot++) {
      const extra = { sum: before.sums[f]![slot]!, windows: before.windows[slot]! };
      const pair = pairs.build(field, values.subarray(slot * count, (slot + 1) * count), extra);
      if (pair !== undefined) metrics[slot]!.push(pair);
    }
  });
  return metrics;
}

interface Earlier {
  /** Per field and slot. */
  readonly sums: readonly Float64Array[];
  readonly windows: Float64Array;
  /** There are sums at all. */
  readonly any: boolean;
}

/** Sums from before the detail. */
function earlier(selection: Selection, slots: Slots): Earlier {
  const size = slots.leaves.length;
  const sums = TCP_FIELDS.map(() => new Float64Array(size));
  const windows = new Float64Array(size);
  const unpacker = new Unpacker();
  for (const block of selection.baselineBlocks) {
    const { tcp } = block.sums();
    const [leaf] = unpacker.take([tcp.leaf], tcp.rows);
    for (let r = 0; r < tcp.rows; r++) {
      const slot = slots.of[leaf![r]!]!;
      if (slot < 0) continue;
      windows[slot] = windows[slot]! + tcp.windows.at(r);
      for (let f = 0; f < sums.length; f++) sums[f]![slot] = sums[f]![slot]! + tcp.sums[f]!.at(r);
    }
  }
  return { sums, windows, any: selection.baselineBlocks.length > 0 };
}
