/**
 * A simulated system as its owner's metrics show it: no calls between services are recorded, only golden metrics of
 * services or instances, resources as container and node exporters give them, a topology, perhaps times on the way.
 */
import type { Samples } from '../../src/demarcate/deviation.ts';
import type { EdgeSeries } from '../../src/demarcate/edge-network.ts';
import type { NodeEvidence, NodeSeries } from '../../src/demarcate/fallback.ts';
import type { Family, Meaning } from '../../src/demarcate/families.ts';
import { familyOf } from '../../src/demarcate/families.ts';
import type { CallRecord, ResourceRecord, TcpRecord } from '../../src/model/records.ts';
import { WINDOW_MS } from './requests.ts';
import type { Drawn } from './simulate.ts';
import { START_MS } from './simulate.ts';
import { windowOf } from './traffic.ts';

/**
 * `services`: golden metrics of services, as a mesh or a tracing service shows them; `mesh`: beside them resources of containers
 * and machines; `instances`: golden metrics of instances with these; `traced`: and the time on the way between services.
 */
export const VIEWS = ['services', 'mesh', 'instances', 'traced'] as const;
export type View = (typeof VIEWS)[number];

/** Windows of a sample (15 s), samples before the fault (7.5 minutes) and during it (75 s). */
const WINDOWS = 3;
const PAST = 30;
const NOW = 5;
const QUANTILES = [0.5, 0.9, 0.99];
/** What container and node exporters have of our resource records. */
const OF_CONTAINERS = ['cpuUsedUs', 'cpuThrottledUs', 'memoryUsedBytes', 'majorFaults', 'fdUsed'] as const;
const OF_MACHINES = ['cpuUsedUs', 'psiCpuSomeUs', 'psiIoSomeUs', 'diskOps', 'diskIoTimeUs', 'memoryUsedBytes'] as const;

/** Golden metrics of those who serve requests. */
export const GOLDEN: readonly Family[] = ['latency', 'errors', 'traffic'];

type Kind = NodeSeries['kind'];

/** Series by kind, node and metric; NaN where there is no sample. */
class Table {
  readonly #rows = new Map<string, Float64Array>();

  set(kind: Kind, node: string, metric: string, at: number, value: number): void {
    const key = `${kind}\0${node}\0${metric}`;
    const values = this.#rows.get(key) ?? new Float64Array(PAST + NOW).fill(Number.NaN);
    this.#rows.set(key, values);
    values[at] = value;
  }

  series(kinds: readonly Kind[], isIn: (family: Family) => boolean = () => true): NodeSeries[] {
    return [...this.#rows].flatMap(([key, values]) => {
      const [kind, node, metric] = key.split('\0') as [Kind, string, string];
      if (!kinds.includes(kind)) return [];
      const { family, worse } = meaningOf(metric);
      if (!isIn(family)) return [];
      const requests =
        family === 'errors' || family === 'cpu' ? this.#rows.get(`${kind}\0${node}\0request_count`) : undefined;
      return [
        {
          node,
          kind,
          metric,
          family,
          worse,
          ...cut(values),
          ...(requests === undefined ? {} : { requests: cut(requests) }),
        },
      ];
    });
  }
}

/** @returns what each view shows of the same minutes */
export function nodeMetrics({ system, faults, random, noise }: Drawn): Readonly<Record<View, NodeEvidence>> {
  const golden = new Table();
  const far = new Table();
  const gaps = new Map<string, EdgeValues>();
  const calls = new Map<string, readonly [string, string]>();
  const seen = new Set<string>();
  const parts = new Map(system.services.flatMap(({ name, instances }) => instances.map((one) => [one, name])));
  const services = new Set(parts.values());
  for (let at = 0; at < PAST + NOW; at++) {
    const batches = Array.from({ length: WINDOWS }, (_, k) =>
      windowOf(system, at < PAST ? [] : faults, START_MS + (at * WINDOWS + k) * WINDOW_MS, random, noise),
    ).flat();
    const records = batches.flatMap((batch) => (batch.type === 'call' ? batch.records : []));
    for (const { caller, callee, side } of records) {
      if (services.has(caller)) calls.set(`${caller}\0${callee}`, [caller, callee]);
      if (side === 'server') seen.add(callee);
    }
    const served = records.filter(({ side }) => side === 'server');
    addGolden(
      golden,
      'service',
      at,
      Map.groupBy(served, ({ callee }) => callee),
    );
    addGolden(
      golden,
      'instance',
      at,
      Map.groupBy(served, ({ calleeInstance = '' }) => calleeInstance),
    );
    const unseen = records.filter(({ side, callee }) => side === 'client' && !seen.has(callee));
    addGolden(
      far,
      'service',
      at,
      Map.groupBy(unseen, ({ callee }) => callee),
    );
    const resources = batches.flatMap((batch) => (batch.type === 'resource' ? batch.records : []));
    // A process that belongs to no service is in nobody's container.
    addResources(
      golden,
      at,
      resources.filter(({ entity, entityKind }) => entityKind === 'machine' || parts.has(entity)),
    );
    addRetransmits(
      golden,
      at,
      batches.flatMap((batch) => (batch.type === 'tcp' ? batch.records : [])),
      resources,
    );
    addGaps(gaps, at, records);
  }
  const common = {
    calls: [...calls.values()],
    unobserved: new Set([...calls.values()].map(([, callee]) => callee).filter((name) => !seen.has(name))),
    symptoms: [system.services[0]!.name],
  };
  const edges = [...gaps.values()].map(
    ({ caller, callee, values }): EdgeSeries => ({ caller, callee, measure: 'gap', ...cut(values) }),
  );
  /** What an instance is asked for is known of its whole service. */
  const counts = new Map(golden.series(['service']).map((one) => [`${one.node}/${one.metric}`, one]));
  const ofService = ({ requests: own, ...one }: NodeSeries): NodeSeries => {
    const requests = own && counts.get(`${parts.get(one.node)}/request_count`);
    return requests === undefined ? one : { ...one, requests };
  };
  const instances = {
    ...common,
    series: [...golden.series(['instance', 'machine']), ...far.series(['service'])],
    edges: [],
    partOf: parts,
    runsOn: system.machineOf,
  };
  return {
    services: {
      ...common,
      series: [...golden.series(['service']), ...far.series(['service'])],
      edges: [],
      partOf: new Map(),
    },
    mesh: {
      ...instances,
      series: [
        ...golden.series(['service', 'machine']),
        ...golden.series(['instance'], (family) => !GOLDEN.includes(family)).map(ofService),
        ...far.series(['service']),
      ],
    },
    instances,
    traced: { ...instances, edges },
  };
}

interface EdgeValues {
  readonly caller: string;
  readonly callee: string;
  readonly values: Float64Array;
}

const total = <T>(list: readonly T[], value: (one: T) => number | undefined): number =>
  list.reduce((sum, one) => sum + (value(one) ?? 0), 0);

function addGolden(
  table: Table,
  kind: 'service' | 'instance',
  at: number,
  byNode: ReadonlyMap<string, readonly CallRecord[]>,
): void {
  for (const [node, records] of byNode) {
    const count = total(records, (record) => record.count);
    const buckets = new Map<number, number>();
    for (const { durationHistogram } of records)
      durationHistogram?.counts.forEach((n, i) => {
        const bucket = durationHistogram.offset + i;
        buckets.set(bucket, (buckets.get(bucket) ?? 0) + n);
      });
    table.set(kind, node, 'request_count', at, count);
    table.set(kind, node, 'error_ratio', at, total(records, ({ errors }) => errors) / count);
    table.set(kind, node, 'latency_mean_ms', at, total(records, (record) => record.durationSumUs) / count / 1_000);
    for (const q of QUANTILES) table.set(kind, node, `latency_p${q * 100}_ms`, at, quantileMs(buckets, q));
  }
}

/** Of buckets of scale 3, eight to a doubling of the µs: the middle of the bucket. */
function quantileMs(buckets: ReadonlyMap<number, number>, q: number): number {
  const sorted = [...buckets].sort(([a], [b]) => a - b);
  let left = q * total(sorted, ([, n]) => n);
  for (const [bucket, n] of sorted) {
    left -= n;
    if (left <= 0) return 2 ** ((bucket + 0.5) / 8) / 1_000;
  }
  return Number.NaN;
}

function addResources(table: Table, at: number, records: readonly ResourceRecord[]): void {
  for (const [entity, list] of Map.groupBy(records, (record) => record.entity)) {
    const kind = list[0]!.entityKind === 'machine' ? 'machine' : 'instance';
    for (const metric of kind === 'machine' ? OF_MACHINES : OF_CONTAINERS)
      table.set(
        kind,
        entity,
        metric,
        at,
        total(list, (record) => record[metric]),
      );
  }
}

/** Segments sent again on the ways that begin or end at a machine: either end sends. */
function addRetransmits(
  table: Table,
  at: number,
  records: readonly TcpRecord[],
  resources: readonly ResourceRecord[],
): void {
  for (const machine of new Set(resources.map((record) => record.machine ?? record.entity))) {
    const sent = records.filter(
      ({ callerMachine, calleeMachine }) => callerMachine === machine || calleeMachine === machine,
    );
    table.set(
      'machine',
      machine,
      'network_tcp_retransmits',
      at,
      total(sent, (record) => record.retransmits),
    );
  }
}

function addGaps(gaps: Map<string, EdgeValues>, at: number, records: readonly CallRecord[]): void {
  for (const [key, list] of Map.groupBy(records, ({ caller, callee }) => `${caller}\0${callee}`)) {
    const meanMs = (side: CallRecord['side']): number => {
      const of = list.filter((record) => record.side === side);
      return total(of, (record) => record.durationSumUs) / total(of, ({ count }) => count) / 1_000;
    };
    const { caller, callee } = list[0]!;
    const way = gaps.get(key) ?? { caller, callee, values: new Float64Array(PAST + NOW).fill(Number.NaN) };
    gaps.set(key, way);
    way.values[at] = meanMs('client') - meanMs('server');
  }
}

function cut(values: Float64Array): Samples {
  return { baseline: values.slice(0, PAST), current: values.slice(PAST) };
}

function meaningOf(metric: string): Meaning {
  if (metric === 'error_ratio') return { family: 'errors', worse: 1 };
  return metric.startsWith('latency') ? { family: 'latency', worse: 1 } : familyOf(metric);
}
