/** The evidence of one incident: healthy windows before it against the windows since its onset. */
import type { CallLeaf, CallSums, Comparison, Span, TelemetryHealth, Topology } from '../model/comparison.ts';
import { compareNames } from '../model/entity.ts';
import type { Side, Tags } from '../model/records.ts';
import type { ClosedWindow } from '../model/window.ts';
import {
  CALL_KEY_WIDTH,
  KEY_CALLEE,
  KEY_CALLEE_INSTANCE,
  KEY_CALLEE_MACHINE,
  KEY_CALLER,
  KEY_CALLER_INSTANCE,
  KEY_CALLER_MACHINE,
  KEY_ERROR_TYPE,
  KEY_OPERATION,
  KEY_PROTOCOL,
  KEY_SIDE,
  KEY_STATUS,
  KEY_TAGS,
} from '../model/window.ts';
import { resourceEntities, tcpEdges } from './compare-metrics.ts';
import type { Scope } from './compare-scope.ts';
import { scopeOf } from './compare-scope.ts';
import { lossFactors, lossyCollectors } from './coverage.ts';
import type { MinuteBlock } from './minute-block.ts';
import type { SeriesStore } from './store.ts';
import type { CompareOptions } from './types.ts';
import type { Identities } from './window-builder.ts';

/** Longest baseline; windows right before the onset that may hold the fault's beginning are left out. */
const BASELINE_MS = 30 * 60_000;
const GUARD_WINDOWS = 2;
/** With fewer healthy windows than this the guard is given up. */
const MIN_BASELINE_WINDOWS = 3;
/** Changes this long before the onset may have caused it. */
const CHANGES_BEFORE_MS = 5 * 60_000;

export interface Selection {
  readonly baseline: readonly ClosedWindow[];
  readonly baselineBlocks: readonly MinuteBlock[];
  readonly current: readonly ClosedWindow[];
  readonly currentBlocks: readonly MinuteBlock[];
}

export function buildComparison(
  store: SeriesStore,
  incidentStartMs: number,
  nowMs: number,
  options: CompareOptions,
): Comparison {
  const startMs = Math.floor(incidentStartMs / store.windowMs) * store.windowMs;
  const selection = select(store, startMs, nowMs, options.exclude ?? []);
  const scope = scopeOf(store.identities, options.anomalies ?? []);
  const calls = callLeaves(store, selection, scope);
  const tcp = tcpEdges(store, selection, scope);
  const resources = resourceEntities(store, selection);
  const all = [...store.detail];
  return {
    environment: store.environment,
    windowMs: store.windowMs,
    baseline: span(selection.baseline, selection.baselineBlocks, store.windowMs, startMs, startMs),
    current: span(selection.current, selection.currentBlocks, store.windowMs, startMs, startMs + store.windowMs),
    calls,
    tcp,
    resources,
    topology: topology(store, calls, tcp, resources),
    changes: all
      .flatMap((window) => window.changes)
      .filter((change) => change.atMs >= startMs - CHANGES_BEFORE_MS && change.atMs < nowMs + store.windowMs),
    anomalies: options.anomalies ?? [],
    health: health(all, selection, nowMs),
  };
}

function select(
  store: SeriesStore,
  startMs: number,
  nowMs: number,
  exclude: readonly { readonly fromMs: number; readonly toMs: number }[],
): Selection {
  const healthy = (fromMs: number, toMs: number): boolean =>
    !exclude.some((other) => fromMs < other.toMs && toMs > other.fromMs);
  const before = (guard: number) => {
    const limit = startMs - guard * store.windowMs;
    return {
      baseline: store.detail.filter((window) => {
        const end = window.startMs + store.windowMs;
        return end <= limit && window.startMs >= startMs - BASELINE_MS && healthy(window.startMs, end);
      }),
      baselineBlocks: store.blocks.filter(
        (block) =>
          block.endMs <= limit && block.startMs >= startMs - BASELINE_MS && healthy(block.startMs, block.endMs),
      ),
    };
  };
  let chosen = before(GUARD_WINDOWS);
  if (chosen.baselineBlocks.length === 0 && chosen.baseline.length < MIN_BASELINE_WINDOWS) chosen = before(0);
  return {
    ...chosen,
    current: store.detail.filter((window) => window.startMs >= startMs && window.startMs <= nowMs),
    currentBlocks: store.blocks.filter((block) => block.startMs >= startMs && block.startMs <= nowMs),
  };
}

function span(
  windows: readonly ClosedWindow[],
  blocks: readonly MinuteBlock[],
  windowMs: number,
  defaultFromMs: number,
  defaultToMs: number,
): Span {
  const first = Math.min(windows[0]?.startMs ?? Infinity, blocks[0]?.startMs ?? Infinity);
  const last = Math.max((windows.at(-1)?.startMs ?? -Infinity) + windowMs, blocks.at(-1)?.endMs ?? -Infinity);
  return {
    fromMs: Number.isFinite(first) ? first : defaultFromMs,
    toMs: Number.isFinite(last) ? last : defaultToMs,
    windows:
      windows.filter((window) => window.collectors.length > 0).length +
      blocks.reduce((total, block) => total + block.windows, 0),
  };
}

class LeafSums {
  readonly count: Float64Array;
  readonly errors: Float64Array;
  readonly duration: Float64Array;
  readonly square: Float64Array;
  readonly #collector: Uint32Array;
  readonly #factors: ReadonlyMap<number, number>;

  constructor({ calls, names }: Identities, windows: readonly ClosedWindow[], blocks: readonly MinuteBlock[]) {
    const { size } = calls;
    this.#collector = calls.collector;
    this.#factors = lossFactors(windows, blocks, names);
    this.count = new Float64Array(size);
    this.errors = new Float64Array(size);
    this.duration = new Float64Array(size);
    this.square = new Float64Array(size);
    for (const block of blocks) {
      for (let r = 0; r < block.callLeaf.length; r++) {
        this.#add(
          block.callLeaf.data[r]!,
          block.count.data[r]!,
          block.errors.data[r]!,
          block.duration.data[r]!,
          block.durationSquare.data[r]!,
        );
      }
    }
    for (const window of windows) {
      const { calls } = window;
      const lossy = new Set(lossyCollectors(window).map((collector) => names.id(collector)));
      for (let r = 0; r < calls.rows; r++) {
        if (lossy.size > 0 && lossy.has(this.#collector[calls.leaf[r]!]!)) continue;
        const count = calls.count[r]!;
        const duration = calls.durationSumUs[r]!;
        const square = count > 0 ? (duration * duration) / count : 0;
        this.#add(calls.leaf[r]!, count, calls.errors[r]!, duration, square);
      }
    }
  }

  #add(leaf: number, count: number, errors: number, duration: number, square: number): void {
    this.count[leaf] = this.count[leaf]! + count;
    this.errors[leaf] = this.errors[leaf]! + errors;
    this.duration[leaf] = this.duration[leaf]! + duration;
    this.square[leaf] = this.square[leaf]! + square;
  }

  /** False: whoever reports the leaf lost its records of every window. */
  isKnown(leaf: number): boolean {
    return this.#factor(leaf) < Infinity;
  }

  sums(leaf: number): CallSums {
    const factor = this.#factor(leaf);
    return {
      count: this.count[leaf]! * factor,
      errors: this.errors[leaf]! * factor,
      durationSumUs: this.duration[leaf]! * factor,
      durationSquareUs2: this.square[leaf]! * factor,
    };
  }

  #factor(leaf: number): number {
    return this.#factors.get(this.#collector[leaf]!) ?? 1;
  }
}

function callLeaves(store: SeriesStore, selection: Selection, scope: Scope): CallLeaf[] {
  const { calls: directory, names } = store.identities;
  const baseline = new LeafSums(store.identities, selection.baseline, selection.baselineBlocks);
  const current = new LeafSums(store.identities, selection.current, selection.currentBlocks);
  const leaves: CallLeaf[] = [];
  for (let leaf = 0; leaf < directory.size; leaf++) {
    if (baseline.count[leaf] === 0 && current.count[leaf] === 0) continue;
    if (!baseline.isKnown(leaf) || !current.isKnown(leaf)) continue;
    const at = leaf * CALL_KEY_WIDTH;
    if (!scope(directory.keys[at + KEY_CALLER]!, directory.keys[at + KEY_CALLEE]!)) continue;
    const part = (at: number): string => names.name(directory.keys[leaf * CALL_KEY_WIDTH + at]!);
    const tags = part(KEY_TAGS);
    leaves.push({
      caller: part(KEY_CALLER),
      callee: part(KEY_CALLEE),
      ...optional('callerInstance', part(KEY_CALLER_INSTANCE)),
      ...optional('calleeInstance', part(KEY_CALLEE_INSTANCE)),
      ...optional('callerMachine', part(KEY_CALLER_MACHINE)),
      ...optional('calleeMachine', part(KEY_CALLEE_MACHINE)),
      side: sideOf(directory.keys[leaf * CALL_KEY_WIDTH + KEY_SIDE]!),
      protocol: part(KEY_PROTOCOL),
      operation: part(KEY_OPERATION),
      status: part(KEY_STATUS),
      ...optional('errorType', part(KEY_ERROR_TYPE)),
      ...(tags === '' ? {} : { tags: JSON.parse(tags) as Tags }),
      baseline: baseline.sums(leaf),
      current: current.sums(leaf),
    });
  }
  return sortBy(leaves, (leaf) =>
    [
      leaf.caller,
      leaf.callee,
      leaf.callerInstance,
      leaf.calleeInstance,
      leaf.callerMachine,
      leaf.calleeMachine,
      leaf.side,
      leaf.protocol,
      leaf.operation,
      leaf.status,
      leaf.errorType,
      leaf.tags === undefined ? '' : JSON.stringify(leaf.tags),
    ].join('\0'),
  );
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

interface Ends {
  readonly caller: string;
  readonly callee: string;
  readonly callerInstance?: string;
  readonly calleeInstance?: string;
  readonly callerMachine?: string;
  readonly calleeMachine?: string;
}

function topology(
  store: SeriesStore,
  calls: readonly Ends[],
  tcp: readonly Ends[],
  resources: Comparison['resources'],
): Topology {
  const relations = { calls: new Set<string>(), part_of: new Set<string>(), runs_on: new Set<string>() };
  const add = (relation: keyof typeof relations, from: string | undefined, to: string | undefined): void => {
    if (from !== undefined && to !== undefined) relations[relation].add(`${from}\0${to}`);
  };
  for (const ends of [...calls, ...tcp]) {
    add('calls', ends.caller, ends.callee);
    add('part_of', ends.callerInstance, ends.caller);
    add('part_of', ends.calleeInstance, ends.callee);
    add('runs_on', ends.callerInstance, ends.callerMachine);
    add('runs_on', ends.calleeInstance, ends.calleeMachine);
  }
  for (const entity of resources) {
    if (entity.entityKind !== 'instance') continue;
    add('part_of', entity.entity, entity.service);
    add('runs_on', entity.entity, entity.machine);
  }
  for (const entry of store.topology.keys()) {
    const [relation, from, to] = entry.split('\0') as [keyof typeof relations, string, string];
    add(relation, from, to);
  }
  const pairs = (set: Set<string>) => [...set].sort(compareNames).map((pair) => pair.split('\0') as [string, string]);
  return { calls: pairs(relations.calls), partOf: pairs(relations.part_of), runsOn: pairs(relations.runs_on) };
}

function health(all: readonly ClosedWindow[], selection: Selection, nowMs: number): TelemetryHealth {
  const last = new Map<string, TelemetryHealth['collectors'][number]>();
  for (const window of all) {
    if (window.startMs > nowMs) break;
    for (const { collector, record } of window.health)
      last.set(collector, { collector, lastMs: window.startMs, record });
  }
  const lost: Record<string, number> = {};
  let eventsReceived = 0;
  for (const window of selection.current) {
    for (const { record } of window.health) {
      eventsReceived += record.eventsReceived ?? 0;
      for (const [buffer, count] of Object.entries(record.lost)) lost[buffer] = (lost[buffer] ?? 0) + count;
    }
  }
  const reporting = new Set([...selection.current, ...selection.currentBlocks].flatMap((w) => [...w.collectors]));
  const before = new Set([...selection.baseline, ...selection.baselineBlocks].flatMap((w) => [...w.collectors]));
  return {
    collectors: sortBy([...last.values()], (entry) => entry.collector),
    lost: Object.fromEntries(Object.entries(lost).sort(([a], [b]) => compareNames(a, b))),
    eventsReceived,
    silentCollectors: [...before].filter((collector) => !reporting.has(collector)).sort(compareNames),
    lostRecords: lostRecords(selection.current),
  };
}

/** Which records of whom did not arrive, and in how many windows. */
function lostRecords(windows: readonly ClosedWindow[]): TelemetryHealth['lostRecords'] {
  const counts = new Map<string, number>();
  for (const { incomplete } of windows) for (const entry of incomplete) counts.set(entry, (counts.get(entry) ?? 0) + 1);
  return [...counts]
    .sort(([a], [b]) => compareNames(a, b))
    .map(([entry, count]) => {
      const slash = entry.lastIndexOf('/');
      return {
        collector: entry.slice(0, slash),
        type: entry.slice(slash + 1),
        windows: count,
        ofWindows: windows.length,
      };
    });
}
