/** Requests through a system, one by one, and the records that collectors on its machines would send. */
import type { AnyBatch, CallRecord, TcpRecord } from '../../src/model/records.ts';
import type { Random } from '../../src/stats/random.ts';
import { normal, poisson } from '../../src/stats/random.ts';
import type { Fault } from './fault.ts';
import type { SimulatedSystem } from './system.ts';
import { NETWORK_US } from './system.ts';

export const WINDOW_MS = 5_000;
const SIGMA = 0.5;
const ERRORS = 0.0005;
/** One request of two hundred is made anew somewhere: retransmits of healthy networks. */
const RETRANSMITS = 0.0002;
const REFUSED_US = 200;

interface Sums {
  count: number;
  errors: number;
  clientUs: number;
  serverUs: number;
  readonly client: Map<number, number>;
  readonly server: Map<number, number>;
}

interface Outcome {
  readonly us: number;
  readonly failed: boolean;
}

/** Batches of one window. `fault` undefined: all is well. */
export function windowOf(
  system: SimulatedSystem,
  fault: Fault | undefined,
  startMs: number,
  random: Random,
): AnyBatch[] {
  const sums = new Map<string, Sums>();
  const refused = new Map<string, number>();
  const requests = poisson(random, (system.requestsPerS * WINDOW_MS) / 1000);
  const draw = (mean: number): number => mean * Math.exp(SIGMA * normal(random) - (SIGMA * SIGMA) / 2);

  const serve = (service: number, instance: string): Outcome => {
    const { ownUs, stages } = system.services[service]!;
    const hit = fault?.service === service && (fault.instance === undefined || fault.instance === instance);
    const slow =
      (hit && (fault.kind === 'slow_service' || fault.kind === 'slow_instance')) ||
      (fault?.kind === 'slow_machine' && system.machineOf.get(instance) === fault.machine);
    let us = draw(ownUs * (slow ? fault.size : 1));
    if (random() < (hit && fault.kind.startsWith('errors') ? fault.size : ERRORS)) return { us: us / 2, failed: true };
    let failed = false;
    for (const stage of stages) {
      let slowest = 0;
      for (const { callee, probability } of stage) {
        if (probability < 1 && random() >= probability) continue;
        const outcome = call(service, instance, callee);
        slowest = Math.max(slowest, outcome.us);
        failed ||= outcome.failed;
      }
      us += slowest;
      if (failed) break;
    }
    return { us, failed };
  };

  const call = (caller: number, callerInstance: string, callee: number): Outcome => {
    const { name, instances } = system.services[callee]!;
    const from = caller < 0 ? 'client' : system.services[caller]!.name;
    const instance = instances[Math.floor(random() * instances.length)]!;
    if (fault?.kind === 'refused' && fault.service === callee) {
      const key = [from, name, callerInstance, instance].join('|');
      refused.set(key, (refused.get(key) ?? 0) + 1);
      add(sums, [from, name, callerInstance, instance, 'refused'].join('|'), REFUSED_US, Number.NaN, true);
      return { us: REFUSED_US, failed: true };
    }
    const { us, failed } = serve(callee, instance);
    const slow =
      (fault?.kind === 'slow_edge' && fault.service === callee && fault.caller === caller) ||
      isLossy(system, fault, callerInstance, instance);
    const way = draw(NETWORK_US) + (slow ? (random() < 0.5 ? draw(2 * fault!.size) : 0) : 0);
    add(sums, [from, name, callerInstance, instance, failed ? '500' : '200'].join('|'), us + way, us, failed);
    return { us: us + way, failed };
  };

  for (let r = 0; r < requests; r++) call(-1, 'client-1', 0);
  return batchesOf(system, fault, startMs, sums, refused, random);
}

/** What enters or leaves a machine with a bad network; what stays within it does not. */
function isLossy(system: SimulatedSystem, fault: Fault | undefined, caller: string, callee: string): boolean {
  if (fault?.kind !== 'lossy_machine') return false;
  return (system.machineOf.get(caller) === fault.machine) !== (system.machineOf.get(callee) === fault.machine);
}

function add(sums: Map<string, Sums>, key: string, clientUs: number, serverUs: number, failed: boolean): void {
  let entry = sums.get(key);
  if (entry === undefined) {
    entry = { count: 0, errors: 0, clientUs: 0, serverUs: 0, client: new Map(), server: new Map() };
    sums.set(key, entry);
  }
  entry.count++;
  if (failed) entry.errors++;
  entry.clientUs += clientUs;
  bump(entry.client, clientUs);
  if (Number.isNaN(serverUs)) return;
  entry.serverUs += serverUs;
  bump(entry.server, serverUs);
}

function bump(buckets: Map<number, number>, us: number): void {
  const bucket = Math.max(0, Math.ceil(Math.log2(Math.max(1, us)) * 8) - 1);
  buckets.set(bucket, (buckets.get(bucket) ?? 0) + 1);
}

function histogram(buckets: ReadonlyMap<number, number>) {
  const offset = Math.min(...buckets.keys());
  const counts = new Array<number>(Math.max(...buckets.keys()) - offset + 1).fill(0);
  for (const [bucket, count] of buckets) counts[bucket - offset] = count;
  return { scale: 3, offset, counts };
}

function batchesOf(
  system: SimulatedSystem,
  fault: Fault | undefined,
  startMs: number,
  sums: ReadonlyMap<string, Sums>,
  refused: ReadonlyMap<string, number>,
  random: Random,
): AnyBatch[] {
  const calls = new Map<string, CallRecord[]>();
  const tcp = new Map<string, TcpRecord[]>();
  const machine = (instance: string): string => system.machineOf.get(instance) ?? 'machine-client';
  const put = <T>(into: Map<string, T[]>, collector: string, record: T): void => {
    into.set(collector, [...(into.get(collector) ?? []), record]);
  };
  const traffic = new Map<string, number>();
  for (const [key, entry] of [...sums].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const [caller, callee, callerInstance, calleeInstance, status] = key.split('|') as [
      string,
      string,
      string,
      string,
      string,
    ];
    const ends = {
      caller,
      callee,
      callerInstance,
      calleeInstance,
      callerMachine: machine(callerInstance),
      calleeMachine: machine(calleeInstance),
    };
    const gone = status === 'refused';
    const base = {
      ...ends,
      protocol: 'http',
      operation: 'GET /',
      status: gone ? '0' : status,
      count: entry.count,
      errors: entry.errors,
      ...(entry.errors > 0 ? { errorType: gone ? 'connection_refused' : '500' } : {}),
    };
    put(calls, ends.callerMachine, {
      ...base,
      side: 'client',
      durationSumUs: Math.round(entry.clientUs),
      durationHistogram: histogram(entry.client),
    });
    if (!gone)
      put(calls, ends.calleeMachine, {
        ...base,
        side: 'server',
        durationSumUs: Math.round(entry.serverUs),
        durationHistogram: histogram(entry.server),
      });
    const pair = [caller, callee, callerInstance, calleeInstance].join('|');
    traffic.set(pair, (traffic.get(pair) ?? 0) + (gone ? 0 : entry.count));
  }
  for (const [pair, count] of traffic) {
    const [caller, callee, callerInstance, calleeInstance] = pair.split('|') as [string, string, string, string];
    const slow =
      (fault?.kind === 'slow_edge' &&
        callee === system.services[fault.service]!.name &&
        caller === system.services[fault.caller!]!.name) ||
      isLossy(system, fault, callerInstance, calleeInstance);
    const failures = refused.get(pair) ?? 0;
    put(tcp, machine(callerInstance), {
      caller,
      callee,
      callerInstance,
      calleeInstance,
      callerMachine: machine(callerInstance),
      calleeMachine: machine(calleeInstance),
      side: 'client',
      calleePort: 80,
      segmentsOut: 4 * count + failures,
      retransmits: poisson(random, 4 * count * (slow ? 0.06 : RETRANSMITS)),
      drops: {},
      connectFailures: failures > 0 ? { refused: failures } : {},
      rttSumUs: count * 200,
      rttCount: count,
    });
  }
  const header = (collector: string) =>
    ({
      schemaVersion: 1,
      environment: 'simulated',
      collector,
      windowStartMs: startMs,
      windowMs: WINDOW_MS,
      sequence: 0,
    }) as const;
  return [...new Set([...system.machineOf.values(), 'machine-client'])].sort().flatMap((collector): AnyBatch[] => [
    ...(calls.has(collector) ? [{ ...header(collector), type: 'call' as const, records: calls.get(collector)! }] : []),
    ...(tcp.has(collector) ? [{ ...header(collector), type: 'tcp' as const, records: tcp.get(collector)! }] : []),
    {
      ...header(collector),
      type: 'health' as const,
      records: [{ machine: collector, probes: [], lost: {}, eventsReceived: 100 }],
    },
  ]);
}
