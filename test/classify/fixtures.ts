/** Comparisons drawn by hand: a shop of four services with a fault in it. */
import type {
  CallLeaf,
  CallSums,
  Comparison,
  MetricPair,
  ResourceEntity,
  TcpEdge,
} from '../../src/model/comparison.ts';
import type { Entity } from '../../src/model/entity.ts';
import { edge, service } from '../../src/model/entity.ts';
import type { Anomaly, Symptom } from '../../src/model/incident.ts';
import type { ChangeRecord, HealthRecord } from '../../src/model/records.ts';
import type { LedgerEntry, LedgerTerm, Suspect, Walk } from '../../src/model/walk.ts';

export const START = 1_700_000_000_000;
export const BASELINE_WINDOWS = 60;
export const CURRENT_WINDOWS = 6;

export function pair(metric: string, baseline: number, current: number, more: Partial<MetricPair> = {}): MetricPair {
  return {
    metric,
    baselineMean: baseline,
    baselineSpread: Math.sqrt(Math.max(baseline, 0)),
    currentMean: current,
    currentMax: current,
    baselineWindows: BASELINE_WINDOWS,
    currentWindows: CURRENT_WINDOWS,
    ...(current > baseline * 1.5 + 1 ? { onsetMs: START } : {}),
    ...more,
  };
}

function sums(perWindow: number, errorsPerWindow: number, meanUs: number, windows: number): CallSums {
  const count = perWindow * windows;
  return {
    count,
    errors: errorsPerWindow * windows,
    durationSumUs: count * meanUs,
    durationSquareUs2: count * meanUs * meanUs,
  };
}

export interface CallSpec {
  readonly caller: string;
  readonly callee: string;
  readonly side?: 'client' | 'server';
  readonly protocol?: string;
  readonly operation?: string;
  readonly status?: string;
  readonly errorType?: string;
  readonly calleeInstance?: string;
  /** Calls per window, errors per window, mean duration: before and now. */
  readonly before: readonly [count: number, errors: number, meanUs: number];
  readonly now: readonly [count: number, errors: number, meanUs: number];
}

export function call(spec: CallSpec): CallLeaf {
  const { before, now, side = 'client', protocol = 'http', operation = 'GET /', status = '200', ...rest } = spec;
  return {
    ...rest,
    side,
    protocol,
    operation,
    status,
    baseline: sums(...before, BASELINE_WINDOWS),
    current: sums(...now, CURRENT_WINDOWS),
  };
}

export function tcp(
  caller: string,
  callee: string,
  side: 'client' | 'server',
  metrics: readonly MetricPair[],
): TcpEdge {
  return { caller, callee, side, metrics };
}

export function resource(
  entityKind: 'instance' | 'machine',
  entity: string,
  serviceName: string | undefined,
  metrics: readonly MetricPair[],
  machine = 'm1',
): ResourceEntity {
  return { entityKind, entity, ...(serviceName === undefined ? {} : { service: serviceName }), machine, metrics };
}

const ALL_PROBES: HealthRecord = {
  machine: 'm1',
  probes: [
    'tp_btf/kfree_skb',
    'tp_btf/inet_sock_set_state',
    'tp_btf/tcp_retransmit_skb',
    'tp_btf/sched_process_exit',
  ].map((name) => ({ name, state: 'attached' as const })),
  lost: {},
  eventsReceived: 100_000,
};

export interface World {
  readonly calls?: readonly CallLeaf[];
  readonly tcp?: readonly TcpEdge[];
  readonly resources?: readonly ResourceEntity[];
  readonly changes?: readonly ChangeRecord[];
  readonly anomalies?: readonly Anomaly[];
  readonly health?: Partial<Comparison['health']>;
  readonly probes?: HealthRecord['probes'];
  readonly instances?: Readonly<Record<string, readonly string[]>>;
}

export function comparison(world: World): Comparison {
  const windowMs = 5_000;
  const instances = world.instances ?? { gateway: ['gateway-1'], orders: ['orders-1', 'orders-2'], db: ['db-1'] };
  const partOf = Object.entries(instances).flatMap(([name, list]) => list.map((i): [string, string] => [i, name]));
  return {
    environment: 'test',
    windowMs,
    baseline: { fromMs: START - BASELINE_WINDOWS * windowMs, toMs: START, windows: BASELINE_WINDOWS },
    current: { fromMs: START, toMs: START + CURRENT_WINDOWS * windowMs, windows: CURRENT_WINDOWS },
    calls: world.calls ?? [],
    tcp: world.tcp ?? [],
    resources: world.resources ?? [],
    topology: { calls: [], partOf, runsOn: partOf.map(([i]) => [i, 'm1'] as const) },
    changes: world.changes ?? [],
    anomalies: world.anomalies ?? [anomaly(service('gateway'), 'duration_mean_us', 'latency_rise', 10_000, 80_000)],
    health: {
      collectors: [
        {
          collector: 'm1',
          lastMs: START,
          record: world.probes === undefined ? ALL_PROBES : { ...ALL_PROBES, probes: world.probes },
        },
      ],
      lost: {},
      eventsReceived: 100_000,
      silentCollectors: [],
      lostRecords: [],
      ...world.health,
    },
  };
}

export function anomaly(
  entity: Entity,
  metric: string,
  symptom: Symptom,
  baseline: number,
  current: number,
  onsetMs = START,
): Anomaly {
  return {
    entity,
    metric,
    symptom,
    onsetMs,
    detectedMs: onsetMs + 10_000,
    lastMs: onsetMs + 25_000,
    baseline,
    current,
    score: 9,
    volume: 500,
  };
}

export function suspect(entity: Entity, term: LedgerTerm, contribution: number, more: Partial<Suspect> = {}): Suspect {
  return {
    entity,
    contribution,
    shares: { latency: contribution },
    score: contribution,
    onsetMs: START,
    symptoms: ['latency_rise'],
    term,
    path: [entity, service('gateway')],
    observations: [],
    ...more,
  };
}

export function walk(drawn: readonly Suspect[], kind: 'latency' | 'errors' = 'latency'): Walk {
  const suspects = drawn.map((one) => ({ ...one, shares: { [kind]: one.contribution } }));
  const unit = kind === 'latency' ? 'us_per_request' : 'errors_per_request';
  const change = kind === 'latency' ? 70_000 : 0.3;
  const entry = (s: Suspect): LedgerEntry => ({
    entity: s.entity.kind === 'instance' && s.service !== undefined ? service(s.service) : s.entity,
    term: s.term,
    contribution: s.contribution * change,
    share: s.contribution,
    standardError: change / 50,
    baseline: change / 7,
    current: change / 7 + s.contribution * change,
  });
  const explained = suspects.reduce((sum, s) => sum + s.contribution, 0);
  const rest: LedgerEntry = {
    term: 'unexplained',
    contribution: (1 - explained) * change,
    share: 1 - explained,
    standardError: Number.NaN,
    baseline: Number.NaN,
    current: Number.NaN,
  };
  return {
    symptom: service('gateway'),
    ledgers: [
      {
        kind,
        entry: 'gateway',
        unit,
        baseline: change / 7,
        current: change / 7 + change,
        change,
        entries: [...suspects.map(entry), rest],
      },
    ],
    suspects,
    abstained: false,
    notes: [],
  };
}

/** TCP counters of an edge that is well. */
export function healthyTcp(more: readonly MetricPair[] = []): MetricPair[] {
  const base = [
    pair('segmentsOut', 1_000, 1_000),
    pair('retransmits', 0.2, 0.3),
    pair('connects', 10, 10),
    pair('rttSumUs', 20_000, 20_000),
    pair('rttCount', 100, 100),
    pair('resetsSent', 0, 0),
    pair('resetsReceived', 0, 0),
    pair('zeroWindows', 0, 0),
  ];
  const replaced = new Set(more.map((m) => m.metric));
  return [...base.filter((m) => !replaced.has(m.metric)), ...more];
}

export const toOrders = edge('gateway', 'orders');
