/**
 * A seeded shop for tests: loadgen -> gateway -> product, cart; product, cart -> db; cart -> redis. Services run on
 * machines with one collector each; both sides of a call are reported by the machine they run on. Durations are
 * log-normal per window (mean of n draws), counts are Poisson.
 */
import type { AnyBatch, CallRecord, ChangeRecord, ResourceRecord, TcpRecord } from '../../src/model/records.ts';
import type { Random } from '../../src/stats/random.ts';
import { createRandom, normal, poisson } from '../../src/stats/random.ts';

export const WINDOW_MS = 5_000;
export const T0 = 1_700_000_000_000 - (1_700_000_000_000 % WINDOW_MS);

export interface Edge {
  readonly caller: string;
  readonly callee: string;
  readonly rps: number;
  readonly meanUs: number;
  readonly networkUs: number;
}

export interface Effect {
  /** Matches `caller`, `callee` or both; absent: any. */
  readonly caller?: string;
  readonly callee?: string;
  readonly instance?: string;
  readonly fromMs: number;
  readonly toMs: number;
  readonly slower?: number;
  readonly networkUs?: number;
  readonly errorRatio?: number;
  /** Multiplies the requests. */
  readonly load?: number;
  readonly retransmitRatio?: number;
  /** These batches never come. */
  readonly silentCollector?: string;
  /** `collector/type` of records that are lost on the way: a partition is gone. */
  readonly lost?: readonly string[];
}

export interface ShopOptions {
  readonly seed?: number;
  readonly environment?: string;
  readonly windows: number;
  readonly windowMs?: number;
  /** Whether collectors say how many records they made; they do. */
  readonly declares?: boolean;
  readonly startMs?: number;
  readonly edges?: readonly Edge[];
  readonly effects?: readonly Effect[];
  readonly changes?: readonly ChangeRecord[];
  readonly resources?: (startMs: number) => readonly ResourceRecord[];
  readonly instances?: Readonly<Record<string, readonly string[]>>;
}

export const SHOP: readonly Edge[] = [
  { caller: 'loadgen', callee: 'gateway', rps: 150, meanUs: 20_000, networkUs: 300 },
  { caller: 'gateway', callee: 'product', rps: 90, meanUs: 9_000, networkUs: 300 },
  { caller: 'gateway', callee: 'cart', rps: 60, meanUs: 12_000, networkUs: 300 },
  { caller: 'product', callee: 'db', rps: 90, meanUs: 3_000, networkUs: 200 },
  { caller: 'cart', callee: 'db', rps: 60, meanUs: 4_000, networkUs: 200 },
  { caller: 'cart', callee: 'redis', rps: 120, meanUs: 500, networkUs: 150 },
];

const INSTANCES: Readonly<Record<string, readonly string[]>> = { product: ['product-1', 'product-2'] };
const SIGMA = 0.6;

/** Mean of n log-normal draws with this mean: normal approximation above 30. */
function sumOfDraws(random: Random, n: number, meanUs: number): { sum: number; counts: Map<number, number> } {
  const counts = new Map<number, number>();
  let sum = 0;
  for (let i = 0; i < n; i++) {
    const value = meanUs * Math.exp(SIGMA * normal(random) - (SIGMA * SIGMA) / 2);
    sum += value;
    const bucket = Math.max(0, Math.ceil(Math.log2(value) * 8) - 1);
    counts.set(bucket, (counts.get(bucket) ?? 0) + 1);
  }
  return { sum: Math.round(sum), counts };
}

function histogram(counts: Map<number, number>) {
  const offset = Math.min(...counts.keys());
  const out = new Array<number>(Math.max(...counts.keys()) - offset + 1).fill(0);
  for (const [bucket, count] of counts) out[bucket - offset] = count;
  return { scale: 3, offset, counts: out };
}

export function machineOf(instance: string): string {
  return `m-${instance}`;
}

/** Batches in time order. */
export function shop(options: ShopOptions): AnyBatch[] {
  const random = createRandom(options.seed ?? 1);
  const startMs = options.startMs ?? T0;
  const windowMs = options.windowMs ?? WINDOW_MS;
  const environment = options.environment ?? 'test';
  const instances = options.instances ?? INSTANCES;
  const edges = options.edges ?? SHOP;
  const batches: AnyBatch[] = [];
  for (let w = 0; w < options.windows; w++) {
    const at = startMs + w * windowMs;
    const active = (options.effects ?? []).filter((effect) => at >= effect.fromMs && at < effect.toMs);
    const calls = new Map<string, CallRecord[]>();
    const tcp = new Map<string, TcpRecord[]>();
    const put = <T>(map: Map<string, T[]>, collector: string, record: T): void => {
      map.set(collector, [...(map.get(collector) ?? []), record]);
    };
    for (const edge of edges) {
      const callees = instances[edge.callee] ?? [`${edge.callee}-1`];
      for (const calleeInstance of callees) {
        const callerInstance = (instances[edge.caller] ?? [`${edge.caller}-1`])[0]!;
        const effects = active.filter(
          (e) =>
            (e.caller === undefined || e.caller === edge.caller) &&
            (e.callee === undefined || e.callee === edge.callee) &&
            (e.instance === undefined || e.instance === calleeInstance),
        );
        const load = effects.reduce((product, e) => product * (e.load ?? 1), 1);
        const slower = effects.reduce((product, e) => product * (e.slower ?? 1), 1);
        const networkUs = effects.reduce((sum, e) => sum + (e.networkUs ?? 0), edge.networkUs);
        const errorRatio = effects.reduce((most, e) => Math.max(most, e.errorRatio ?? 0), 0.0005);
        const n = poisson(random, (edge.rps * load * windowMs) / 1000 / callees.length);
        let failed = 0;
        for (let i = 0; i < n; i++) if (random() < errorRatio) failed++;
        const base = {
          caller: edge.caller,
          callee: edge.callee,
          callerInstance,
          calleeInstance,
          callerMachine: machineOf(callerInstance),
          calleeMachine: machineOf(calleeInstance),
          protocol: 'http',
          operation: 'GET /',
        };
        for (const [status, count] of [
          ['200', n - failed],
          ['500', failed],
        ] as const) {
          if (count === 0) continue;
          const { sum, counts } = sumOfDraws(random, count, edge.meanUs * slower);
          const record = { ...base, status, count, errors: status === '500' ? count : 0 };
          const error = status === '500' ? { errorType: '500' } : {};
          put(calls, machineOf(calleeInstance), {
            ...record,
            ...error,
            side: 'server',
            durationSumUs: sum,
            durationHistogram: histogram(counts),
          });
          put(calls, machineOf(callerInstance), {
            ...record,
            ...error,
            side: 'client',
            durationSumUs: sum + Math.round(networkUs * count),
            durationHistogram: histogram(counts),
          });
        }
        const segments = Math.max(1, n * 4);
        const ratio = effects.reduce((most, e) => Math.max(most, e.retransmitRatio ?? 0), 0.0002);
        put(tcp, machineOf(callerInstance), {
          caller: edge.caller,
          callee: edge.callee,
          callerInstance,
          calleeInstance,
          side: 'client',
          calleePort: 80,
          segmentsOut: segments,
          retransmits: poisson(random, segments * ratio),
          drops: {},
          connectFailures: {},
          rttSumUs: n * 200,
          rttCount: n,
        });
      }
    }
    const header = (collector: string) =>
      ({ schemaVersion: 1, environment, collector, windowStartMs: at, windowMs, sequence: 0 }) as const;
    const silent = new Set(active.map((effect) => effect.silentCollector));
    const lost = new Set(active.flatMap((effect) => effect.lost ?? []));
    const send = (batch: AnyBatch): void => {
      if (!silent.has(batch.collector) && !lost.has(`${batch.collector}/${batch.type}`)) batches.push(batch);
    };
    const collectors = new Set([...calls.keys(), ...tcp.keys(), 'm-product-1']);
    for (const edge of edges) collectors.add(machineOf(`${edge.callee}-1`));
    for (const collector of [...collectors].sort()) {
      if (calls.has(collector)) send({ ...header(collector), type: 'call', records: calls.get(collector)! });
      if (tcp.has(collector)) send({ ...header(collector), type: 'tcp', records: tcp.get(collector)! });
      send({
        ...header(collector),
        type: 'health',
        records: [
          {
            machine: collector,
            probes: [],
            lost: {},
            eventsReceived: 100,
            ...(options.declares === false
              ? {}
              : {
                  recordsProduced: {
                    call: calls.get(collector)?.length ?? 0,
                    tcp: tcp.get(collector)?.length ?? 0,
                  },
                }),
          },
        ],
      });
    }
    const resources = options.resources?.(at) ?? [];
    if (resources.length > 0) send({ ...header('m-gateway-1'), type: 'resource', records: resources });
    const changes = (options.changes ?? []).filter((change) => change.atMs >= at && change.atMs < at + windowMs);
    if (changes.length > 0) send({ ...header('m-gateway-1'), type: 'change', records: changes });
  }
  return batches;
}
