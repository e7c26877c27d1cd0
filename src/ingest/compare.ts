/** The evidence of one incident: healthy windows before it against the windows since its onset. */
import type { Comparison, Span, TelemetryHealth, Topology } from '../model/comparison.ts';
import { compareNames } from '../model/entity.ts';
import { splitIncomplete } from '../model/window.ts';
import { compareCalls } from './compare-calls.ts';
import { tcpEdges } from './compare-metrics.ts';
import type { Ends, Selection } from './compare-parts.ts';
import { sortBy } from './compare-parts.ts';
import { resourceEntities } from './compare-resources.ts';
import { scopeOf } from './compare-scope.ts';
import { CHANGES_BEFORE_MS } from './config.ts';
import type { KeptWindow } from './kept-window.ts';
import type { MinuteBlock } from './minute-block.ts';
import type { SeriesStore } from './store.ts';
import type { CompareOptions } from './types.ts';

/** Longest baseline; windows right before the onset that may hold the fault's beginning are left out. */
const BASELINE_MS = 30 * 60_000;
const GUARD_WINDOWS = 2;
/** With fewer healthy windows than this the guard is given up. */
const MIN_BASELINE_WINDOWS = 3;
/** Of the time of a growth of which nothing before is kept, the part that stands for it. */
const LEAST_GROWN_SHARE = 0.2;

export function buildComparison(
  store: SeriesStore,
  incidentStartMs: number,
  nowMs: number,
  options: CompareOptions,
  wholeLeaves: number,
): Comparison {
  const startMs = Math.floor(incidentStartMs / store.windowMs) * store.windowMs;
  const fromMs = Math.max(startMs, options.currentFromMs ?? startMs);
  const selection = select(store, startMs, { fromMs, nowMs }, options.exclude ?? []);
  const scope = scopeOf(store.identities, selection, options.anomalies ?? [], wholeLeaves);
  const { calls, stretches } = compareCalls(store, selection, scope);
  const tcp = tcpEdges(store, selection, scope);
  const resources = resourceEntities(store, selection, scope);
  const all = [...store.detail];
  return {
    environment: store.environment,
    windowMs: store.windowMs,
    baseline: span(selection.baseline, selection.baselineBlocks, store.windowMs, startMs, startMs),
    current: span(selection.current, selection.currentBlocks, store.windowMs, fromMs, fromMs + store.windowMs),
    calls,
    stretches,
    tcp,
    resources,
    topology: topology(store, calls, tcp, resources),
    changes: store.changes.filter(
      (change) => change.atMs >= startMs - CHANGES_BEFORE_MS && change.atMs < nowMs + store.windowMs,
    ),
    anomalies: options.anomalies ?? [],
    health: health(all, selection, nowMs),
  };
}

function select(
  store: SeriesStore,
  startMs: number,
  { fromMs: firstMs, nowMs }: { readonly fromMs: number; readonly nowMs: number },
  exclude: readonly { readonly fromMs: number; readonly toMs: number }[],
): Selection {
  const healthy = (fromMs: number, toMs: number): boolean =>
    !exclude.some((other) => fromMs < other.toMs && toMs > other.fromMs);
  const within = (fromMs: number, toMs: number) => ({
    baseline: store.detail.filter((window) => {
      const end = window.startMs + store.windowMs;
      return end <= toMs && window.startMs >= fromMs && healthy(window.startMs, end);
    }),
    baselineBlocks: store.blocks.filter(
      (block) => block.endMs <= toMs && block.startMs >= fromMs && healthy(block.startMs, block.endMs),
    ),
  });
  const before = (guard: number) => within(startMs - BASELINE_MS, startMs - guard * store.windowMs);
  const isEmpty = ({ baseline, baselineBlocks }: ReturnType<typeof within>): boolean =>
    baseline.length === 0 && baselineBlocks.length === 0;
  let chosen = before(GUARD_WINDOWS);
  if (chosen.baselineBlocks.length === 0 && chosen.baseline.length < MIN_BASELINE_WINDOWS) chosen = before(0);
  // Another incident has lasted all this time: farther back it had not begun.
  if (isEmpty(chosen)) chosen = within(Number.NEGATIVE_INFINITY, startMs);
  if (firstMs > startMs && isEmpty(chosen)) {
    // It grew for longer than anything is kept: the first minutes that are hold the least of it.
    const oldestMs = Math.min(store.detail[0]?.startMs ?? firstMs, store.blocks[0]?.startMs ?? firstMs);
    chosen = within(oldestMs, oldestMs + (firstMs - oldestMs) * LEAST_GROWN_SHARE);
  }
  const currentBlocks = store.blocks.filter((block) => block.startMs >= firstMs && block.startMs <= nowMs);
  const current = store.detail.filter((window) => window.startMs >= firstMs && window.startMs <= nowMs);
  const oldest = [chosen.baseline, chosen.baselineBlocks, current, currentBlocks].flatMap(
    ([first]) => first?.startMs ?? [],
  );
  const fromMs = Math.min(...oldest);
  const isKept =
    currentBlocks.length === 0 && (firstMs === startMs || (store.detail[0]?.startMs ?? startMs) <= startMs);
  const { calls, tcp } = store.identities;
  return {
    ...chosen,
    current,
    currentBlocks,
    fromMs,
    callLeaves: calls.seenSince(fromMs),
    tcpLeaves: tcp.seenSince(fromMs),
    skipped: isKept ? store.detail.filter((window) => window.startMs >= startMs && window.startMs < firstMs) : [],
    isCut: !isKept,
  };
}

function span(
  windows: readonly KeptWindow[],
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

function health(all: readonly KeptWindow[], selection: Selection, nowMs: number): TelemetryHealth {
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
function lostRecords(windows: readonly KeptWindow[]): TelemetryHealth['lostRecords'] {
  const counts = new Map<string, number>();
  for (const { incomplete } of windows) for (const entry of incomplete) counts.set(entry, (counts.get(entry) ?? 0) + 1);
  return [...counts]
    .sort(([a], [b]) => compareNames(a, b))
    .map(([entry, count]) => ({ ...splitIncomplete(entry), windows: count, ofWindows: windows.length }));
}
