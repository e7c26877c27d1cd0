/** TCP counters and resources before and during an incident. */
import { TCP_FIELDS } from '../model/columns.ts';
import type { MetricPair, ResourceEntity, TcpEdge } from '../model/comparison.ts';
import { compareNames } from '../model/entity.ts';
import type { ClosedWindow } from '../model/window.ts';
import {
  KEY_CALLEE,
  KEY_CALLEE_INSTANCE,
  KEY_CALLEE_MACHINE,
  KEY_CALLER,
  KEY_CALLER_INSTANCE,
  KEY_CALLER_MACHINE,
  KEY_PORT,
  KEY_SIDE,
  TCP_KEY_WIDTH,
} from '../model/window.ts';
import type { Selection } from './compare.ts';
import { optional, sideOf, sortBy } from './compare.ts';
import type { Scope } from './compare-scope.ts';
import { PairBuilder } from './metric-pairs.ts';
import type { SeriesStore } from './store.ts';

/** Drops and connect failures by reason: leaf -> metric name -> value per window; a reason not listed is zero. */
class Reasons {
  readonly #values = new Map<number, Map<string, Float64Array>>();
  readonly #windows: readonly ClosedWindow[];

  constructor(windows: readonly ClosedWindow[]) {
    this.#windows = windows;
  }

  add(prefix: string, kind: 'drop' | 'failure', leafRows: Int32Array, count: number): void {
    for (let w = 0; w < count; w++) {
      const { tcp, names } = this.#windows[w]!;
      const rows = kind === 'drop' ? tcp.dropRow : tcp.failureRow;
      const reasons = kind === 'drop' ? tcp.dropReason : tcp.failureReason;
      const values = kind === 'drop' ? tcp.dropValue : tcp.failureValue;
      for (let i = 0; i < rows.length; i++) {
        const leaf = tcp.leaf[rows[i]!]!;
        this.#series(leaf, `${prefix}.${names.name(reasons[i]!)}`, kind, leafRows, count)[w] = values[i]!;
      }
    }
  }

  #series(leaf: number, metric: string, kind: 'drop' | 'failure', leafRows: Int32Array, count: number): Float64Array {
    let metrics = this.#values.get(leaf);
    if (metrics === undefined) {
      metrics = new Map();
      this.#values.set(leaf, metrics);
    }
    let series = metrics.get(metric);
    if (series === undefined) {
      series = new Float64Array(count).fill(Number.NaN);
      for (let w = 0; w < count; w++) {
        const row = leafRows[leaf * count + w]!;
        const { tcp } = this.#windows[w]!;
        if (row >= 0 && (kind === 'drop' ? tcp.hasDrops : tcp.hasConnectFailures)[row]) series[w] = 0;
      }
      metrics.set(metric, series);
    }
    return series;
  }

  of(leaf: number): [string, Float64Array][] {
    return [...(this.#values.get(leaf) ?? [])].sort(([a], [b]) => compareNames(a, b));
  }
}

export function tcpEdges(store: SeriesStore, selection: Selection, scope: Scope): TcpEdge[] {
  const { tcp: directory, names } = store.identities;
  const windows = [...selection.baseline, ...selection.current];
  const count = windows.length;
  const rows = new Int32Array(directory.size * count).fill(-1);
  for (let w = 0; w < count; w++) {
    const { leaf, rows: length } = windows[w]!.tcp;
    for (let r = 0; r < length; r++) rows[leaf[r]! * count + w] = r;
  }
  const reasons = new Reasons(windows);
  reasons.add('drops', 'drop', rows, count);
  reasons.add('connectFailures', 'failure', rows, count);
  const before = earlier(selection, directory.size);
  const pairs = new PairBuilder(
    selection.baseline.length,
    selection.current.map((window) => window.startMs),
  );

  const edges: TcpEdge[] = [];
  const values = new Float64Array(count);
  for (let leaf = 0; leaf < directory.size; leaf++) {
    const at = leaf * TCP_KEY_WIDTH;
    if (!scope(directory.keys[at + KEY_CALLER]!, directory.keys[at + KEY_CALLEE]!)) continue;
    const metrics: MetricPair[] = [];
    for (let f = 0; f < TCP_FIELDS.length; f++) {
      for (let w = 0; w < count; w++) {
        const row = rows[leaf * count + w]!;
        values[w] = row < 0 ? Number.NaN : windows[w]!.tcp.values[row * TCP_FIELDS.length + f]!;
      }
      const extra = { sum: before.sums[f]![leaf]!, windows: before.windows[leaf]! };
      const pair = pairs.build(TCP_FIELDS[f]!, values, extra);
      if (pair !== undefined) metrics.push(pair);
    }
    for (const [metric, series] of reasons.of(leaf)) {
      const pair = pairs.build(metric, series);
      if (pair !== undefined) metrics.push(pair);
    }
    if (metrics.length === 0) continue;
    const part = (at: number): string => names.name(directory.keys[leaf * TCP_KEY_WIDTH + at]!);
    const port = directory.keys[leaf * TCP_KEY_WIDTH + KEY_PORT]!;
    edges.push({
      caller: part(KEY_CALLER),
      callee: part(KEY_CALLEE),
      ...optional('callerInstance', part(KEY_CALLER_INSTANCE)),
      ...optional('calleeInstance', part(KEY_CALLEE_INSTANCE)),
      ...optional('callerMachine', part(KEY_CALLER_MACHINE)),
      ...optional('calleeMachine', part(KEY_CALLEE_MACHINE)),
      side: sideOf(directory.keys[leaf * TCP_KEY_WIDTH + KEY_SIDE]!),
      ...(port === 0 ? {} : { calleePort: port - 1 }),
      metrics,
    });
  }
  return sortBy(edges, (edge) =>
    [
      edge.caller,
      edge.callee,
      edge.callerInstance,
      edge.calleeInstance,
      edge.callerMachine,
      edge.calleeMachine,
      edge.side,
      edge.calleePort,
    ].join('\0'),
  );
}

function earlier(selection: Selection, size: number): { sums: Float64Array[]; windows: Float64Array } {
  const sums = TCP_FIELDS.map(() => new Float64Array(size));
  const windows = new Float64Array(size);
  for (const block of selection.baselineBlocks) {
    for (let r = 0; r < block.tcpLeaf.length; r++) {
      const leaf = block.tcpLeaf.data[r]!;
      windows[leaf] = windows[leaf]! + block.tcpWindows.data[r]!;
      for (let f = 0; f < sums.length; f++) sums[f]![leaf] = sums[f]![leaf]! + block.tcpSums[f]!.data[r]!;
    }
  }
  return { sums, windows };
}

export function resourceEntities(store: SeriesStore, selection: Selection): ResourceEntity[] {
  const windows = [...selection.baseline, ...selection.current];
  const count = windows.length;
  const values = new Map<number, Map<number, Float64Array>>();
  for (let w = 0; w < count; w++) {
    const table = windows[w]!.resources;
    for (let i = 0; i < table.rows; i++) {
      const entity = table.entity[i]!;
      let metrics = values.get(entity);
      if (metrics === undefined) {
        metrics = new Map();
        values.set(entity, metrics);
      }
      let series = metrics.get(table.metric[i]!);
      if (series === undefined) {
        series = new Float64Array(count).fill(Number.NaN);
        metrics.set(table.metric[i]!, series);
      }
      series[w] = table.value[i]!;
    }
  }
  const pairs = new PairBuilder(
    selection.baseline.length,
    selection.current.map((window) => window.startMs),
  );
  const entities: ResourceEntity[] = [];
  for (const [id, metrics] of values) {
    const identity = store.identities.resources[id]!;
    entities.push({
      entityKind: identity.entityKind,
      entity: identity.entity,
      ...optional('service', identity.service ?? ''),
      ...optional('machine', identity.machine ?? ''),
      metrics: [...metrics]
        .map(([metric, series]) => [store.identities.names.name(metric), series] as const)
        .sort(([a], [b]) => compareNames(a, b))
        .map(([metric, series]) => pairs.build(metric, series))
        .filter((pair) => pair !== undefined),
    });
  }
  return sortBy(entities, (entity) => `${entity.entityKind}\0${entity.entity}`);
}
