/**
 * Draws a system and what happened to it as a Comparison: `web -> api -> db; api -> cache` names the calls, `self` gives
 * each service's own time and `net` each edge's, before and now, in us. Calls are sequential and one a request unless
 * `calls` says otherwise. Durations follow from these by the model of the ledger, so expected entries can be computed
 * by hand.
 */
import type { CallLeaf, CallSums, Comparison, MetricPair, TcpEdge } from '../../src/model/comparison.ts';
import { service } from '../../src/model/entity.ts';
import type { Anomaly, Symptom } from '../../src/model/incident.ts';
import type { Ledger } from '../../src/model/walk.ts';

export interface Drawn {
  readonly graph: string;
  /** service -> [before, now] us of its own. Default [1000, 1000]. */
  readonly self?: Readonly<Record<string, readonly [number, number]>>;
  /** `a -> b` -> [before, now] us between the two. Default [100, 100]. */
  readonly net?: Readonly<Record<string, readonly [number, number]>>;
  /** `a -> b` -> [before, now] calls per request of a. Default [1, 1]. */
  readonly calls?: Readonly<Record<string, readonly [number, number]>>;
  /** service -> [before, now] share of its answers that are errors it made itself. */
  readonly errors?: Readonly<Record<string, readonly [number, number]>>;
  /** Requests of the entry per second, before and now. */
  readonly rate?: readonly [number, number];
  /** Services that nobody watches from inside. */
  readonly blind?: readonly string[];
  readonly symptom?: Symptom;
  /** service -> machine of its one instance `<service>-1`. Default: instances are not told apart. */
  readonly on?: Readonly<Record<string, string>>;
  /** `a -> b` -> failed connects per window now, by reason. */
  readonly refused?: Readonly<Record<string, number>>;
  /** `a -> b` that speak over a Unix socket. */
  readonly unix?: readonly string[];
}

const WINDOWS = 24;
const WINDOW_MS = 5_000;
const SECONDS = (WINDOWS * WINDOW_MS) / 1000;

export function draw(drawn: Drawn): Comparison {
  const edges = parse(drawn.graph);
  const entry = edges[0]?.[0] ?? '';
  const flows = [flow(drawn, edges, entry, 0), flow(drawn, edges, entry, 1)] as const;
  const leaves: CallLeaf[] = [];
  const leaf = (caller: string, callee: string, side: 'client' | 'server'): void => {
    const sums = flows.map((now) => now.leaf(caller, callee, side)) as [CallSums, CallSums];
    leaves.push({
      caller,
      callee,
      side,
      protocol: 'http',
      operation: 'GET /',
      status: '200',
      ...ends('caller', drawn.on?.[caller], caller),
      ...ends('callee', drawn.on?.[callee], callee),
      baseline: sums[0],
      current: sums[1],
    });
  };
  leaf('external', entry, 'server');
  for (const [from, to] of edges) {
    if (!drawn.blind?.includes(from)) leaf(from, to, 'client');
    if (!drawn.blind?.includes(to)) leaf(from, to, 'server');
  }
  const tcp: TcpEdge[] = Object.entries(drawn.refused ?? {}).map(([name, perWindow]) => {
    const [caller = '', callee = ''] = name.split(' -> ');
    return { caller, callee, side: 'client', metrics: [pair('connectFailures.refused', 0, perWindow)] };
  });
  for (const name of drawn.unix ?? []) {
    const [caller = '', callee = ''] = name.split(' -> ');
    const metrics = [pair('segmentsOut', 0, 0), pair('bytesOut', 1_000, 1_000)];
    tcp.push({ caller, callee, side: 'client', metrics });
  }
  return {
    environment: 'test',
    windowMs: WINDOW_MS,
    baseline: { fromMs: 0, toMs: SECONDS * 1000, windows: WINDOWS },
    current: { fromMs: SECONDS * 1000, toMs: 2 * SECONDS * 1000, windows: WINDOWS },
    calls: leaves,
    tcp,
    resources: [],
    topology: { calls: edges, partOf: [], runsOn: [] },
    changes: [],
    anomalies: [anomaly(entry, drawn.symptom ?? 'latency_rise')],
    health: { collectors: [], lost: {}, eventsReceived: 0, silentCollectors: [], lostRecords: [] },
  };
}

/** Calls named `caller callee` take this much longer now, on both sides. */
export function longer(comparison: Comparison, us: Readonly<Record<string, number>>): Comparison {
  const calls = comparison.calls.map((leaf) => {
    const added = us[`${leaf.caller} ${leaf.callee}`];
    if (added === undefined) return leaf;
    const { count, durationSumUs } = leaf.current;
    const mean = durationSumUs / count + added;
    return {
      ...leaf,
      current: { ...leaf.current, durationSumUs: count * mean, durationSquareUs2: count * mean * mean },
    };
  });
  return { ...comparison, calls };
}

/** A term's share of a ledger's change; of a service or an edge by its name. */
export function shareOf(ledger: Ledger | undefined, term: string, name?: string): number {
  return ledger?.entries.find((entry) => entry.term === term && entry.entity?.name === name)?.share ?? 0;
}

export function parse(graph: string): [string, string][] {
  return graph.split(';').flatMap((chain) => {
    const names = chain.split('->').map((name) => name.trim());
    return names.slice(1).map((to, i): [string, string] => [names[i] ?? '', to]);
  });
}

function ends(end: 'caller' | 'callee', machine: string | undefined, service: string): Partial<CallLeaf> {
  return machine === undefined ? {} : { [`${end}Instance`]: `${service}-1`, [`${end}Machine`]: machine };
}

function flow(drawn: Drawn, edges: readonly [string, string][], entry: string, when: 0 | 1) {
  const pick = (
    table: Readonly<Record<string, readonly [number, number]>> | undefined,
    key: string,
    usual: number,
  ): number => table?.[key]?.[when] ?? usual;
  const q = (from: string, to: string): number => pick(drawn.calls, `${from} -> ${to}`, 1);
  const time = once(
    (name: string): number =>
      pick(drawn.self, name, 1_000) +
      edges
        .filter(([from]) => from === name)
        .reduce((sum, [from, to]) => sum + q(from, to) * (time(to) + pick(drawn.net, `${from} -> ${to}`, 100)), 0),
  );
  const own = (name: string): number => pick(drawn.errors, name, 0);
  /** Errors pass upwards: a request fails when the service itself or any of its calls does. */
  const failed = once((name: string): number =>
    edges
      .filter(([from]) => from === name)
      .reduce((share, [from, to]) => 1 - (1 - share) * (1 - failed(to)) ** q(from, to), own(name)),
  );
  const visits = new Map<string, number>([[entry, (drawn.rate?.[when] ?? 100) * SECONDS]]);
  for (const [from, to] of edges) visits.set(`${from} -> ${to}`, 0);
  const rates = once((name: string): number =>
    name === entry
      ? (visits.get(entry) ?? 0)
      : edges.filter(([, to]) => to === name).reduce((sum, [from, to]) => sum + rates(from) * q(from, to), 0),
  );
  return {
    leaf(caller: string, callee: string, side: 'client' | 'server'): CallSums {
      const count = caller === 'external' ? rates(callee) : rates(caller) * q(caller, callee);
      const mean = time(callee) + (side === 'client' ? pick(drawn.net, `${caller} -> ${callee}`, 100) : 0);
      return {
        count,
        errors: count * failed(callee),
        durationSumUs: count * mean,
        durationSquareUs2: count * mean * mean,
      };
    },
  };
}

/** Every name is computed once: a mesh has more paths than can be walked. */
function once(of: (name: string) => number): (name: string) => number {
  const known = new Map<string, number>();
  return (name) => {
    const value = known.get(name) ?? of(name);
    known.set(name, value);
    return value;
  };
}

export function pair(metric: string, baselineMean: number, currentMean: number): MetricPair {
  return {
    metric,
    baselineMean,
    baselineSpread: 0,
    currentMean,
    currentMax: currentMean,
    baselineWindows: WINDOWS,
    currentWindows: WINDOWS,
  };
}

function anomaly(name: string, symptom: Symptom): Anomaly {
  return {
    entity: service(name),
    metric: 'test',
    symptom,
    onsetMs: SECONDS * 1000,
    detectedMs: SECONDS * 1000,
    lastMs: 2 * SECONDS * 1000,
    baseline: 1,
    current: 2,
    score: 10,
    volume: 1000,
  };
}
