/** The records that collectors on the machines of a simulated system would send. */
import type { AnyBatch, CallRecord, TcpRecord } from '../../src/model/records.ts';
import type { Random } from '../../src/stats/random.ts';
import { poisson } from '../../src/stats/random.ts';
import type { Fault } from './fault.ts';
import type { EdgeSums, Status } from './requests.ts';
import { requestsOf, slowWay, WINDOW_MS } from './requests.ts';
import { changesOf, resourcesOf } from './resources.ts';
import type { SimulatedSystem } from './system.ts';

/** One request of two hundred is made anew somewhere: retransmits of healthy networks. */
const RETRANSMITS = 0.0002;
/** The same on a way that loses packets. */
const LOSSY = 0.06;
/** What was not told is then none: exits, drops, failed connects, kills. */
const PROBES = ['sched_process_exit', 'kfree_skb', 'inet_sock_set_state', 'mark_victim'].map((name) => ({
  name,
  state: 'attached' as const,
}));
const CLIENT_MACHINE = 'machine-client';
const SEGMENTS = 4;

/**
 * Batches of one window.
 * @param faults  at work at once; none: all is well
 * @param noise  of resources: drawn apart, so that requests are the same whatever is read of machines
 */
export function windowOf(
  system: SimulatedSystem,
  faults: readonly Fault[],
  startMs: number,
  random: Random,
  noise: Random,
): AnyBatch[] {
  const { edges, cpuUs } = requestsOf(system, faults, startMs, random);
  const unseen = system.services[system.external ?? -1]?.instances ?? [];
  const machineOf = (instance: string): string =>
    unseen.includes(instance) ? 'elsewhere' : (system.machineOf.get(instance) ?? CLIENT_MACHINE);
  const calls = new Map<string, CallRecord[]>();
  const tcp = new Map<string, TcpRecord[]>();
  for (const edge of edges) {
    const { callerMachine, calleeMachine, client, server } = callsOf(edge, machineOf);
    if (client !== undefined) put(calls, callerMachine, client);
    if (server !== undefined && !unseen.includes(edge.calleeInstance)) put(calls, calleeMachine, server);
  }
  const open = system.open?.records(startMs + WINDOW_MS, machineOf);
  for (const record of open?.client ?? []) put(calls, machineOf(record.callerInstance!), record);
  for (const record of open?.server ?? []) put(calls, machineOf(record.calleeInstance!), record);
  for (const [machine, record] of tcpOf(
    system,
    faults,
    [...edges, ...(system.open?.sent(startMs) ?? [])],
    machineOf,
    random,
  ))
    put(tcp, machine, record);
  const machines = [...new Set(system.machineOf.values())].sort();
  const observed = { ...system, machineOf: new Map([...system.machineOf].filter(([name]) => !unseen.includes(name))) };
  const seen = machines.filter((machine) => !system.blind?.has(machine));
  return [...seen, CLIENT_MACHINE].flatMap((collector): AnyBatch[] => {
    const header = {
      schemaVersion: 1,
      environment: 'simulated',
      collector,
      windowStartMs: startMs,
      windowMs: WINDOW_MS,
      sequence: 0,
    } as const;
    const broken = faults.flatMap((fault) =>
      system.machineOf.get(fault.instance ?? '') === collector
        ? changesOf(fault, system.services[fault.service]!.name, collector, startMs)
        : [],
    );
    const changes = [...broken, ...(system.now?.changes ?? []).filter(({ machine }) => machine === collector)];
    const resources = collector === CLIENT_MACHINE ? [] : resourcesOf(observed, faults, collector, cpuUs, noise);
    return [
      ...(calls.has(collector) ? [{ ...header, type: 'call' as const, records: calls.get(collector)! }] : []),
      ...(tcp.has(collector) ? [{ ...header, type: 'tcp' as const, records: tcp.get(collector)! }] : []),
      ...(resources.length > 0 ? [{ ...header, type: 'resource' as const, records: resources }] : []),
      ...(changes.length > 0 ? [{ ...header, type: 'change' as const, records: changes }] : []),
      {
        ...header,
        type: 'health' as const,
        records: [{ machine: collector, probes: PROBES, lost: {}, eventsReceived: 100 }],
      },
    ];
  });
}

function put<T>(into: Map<string, T[]>, collector: string, record: T): void {
  const list = into.get(collector);
  if (list === undefined) into.set(collector, [record]);
  else list.push(record);
}

interface Sides {
  readonly callerMachine: string;
  readonly calleeMachine: string;
  /** Undefined: it gave up what the callee answered. */
  readonly client: CallRecord | undefined;
  /** Undefined: the call never came there. */
  readonly server: CallRecord | undefined;
}

function endsOf({ caller, callee, callerInstance, calleeInstance }: EdgeSums, machineOf: (instance: string) => string) {
  const [callerMachine, calleeMachine] = [machineOf(callerInstance), machineOf(calleeInstance)];
  return { caller, callee, callerInstance, calleeInstance, callerMachine, calleeMachine };
}

function callsOf(edge: EdgeSums, machineOf: (instance: string) => string): Sides {
  const { status } = edge;
  const ends = endsOf(edge, machineOf);
  const base = {
    ...ends,
    protocol: 'http',
    operation: edge.operation,
    status: status in ERROR_TYPES ? '0' : status,
    ...(status === '200' ? {} : { errorType: ERROR_TYPES[status] ?? status }),
  };
  const side = (
    name: 'client' | 'server',
    count: number,
    us: number,
    buckets: ReadonlyMap<number, number>,
  ): CallRecord | undefined =>
    count === 0
      ? undefined
      : {
          ...base,
          side: name,
          count,
          errors: status === '200' ? 0 : count,
          durationSumUs: Math.round(us),
          durationHistogram: histogram(buckets),
        };
  return {
    ...ends,
    client: side('client', edge.count, edge.clientUs, edge.client),
    server: side('server', edge.serverCount, edge.serverUs, edge.server),
  };
}

/** Of calls that nobody answered. */
const ERROR_TYPES: Partial<Record<Status, string>> = {
  refused: 'connection_refused',
  reset: 'connection_reset',
  timeout: 'timeout',
  left: 'connection_closed',
};

function histogram(buckets: ReadonlyMap<number, number>) {
  const offset = Math.min(...buckets.keys());
  const counts = new Array<number>(Math.max(...buckets.keys()) - offset + 1).fill(0);
  for (const [bucket, count] of buckets) counts[bucket - offset] = count;
  return { scale: 3, offset, counts };
}

interface Flow {
  readonly edge: EdgeSums;
  count: number;
  refused: number;
  reset: number;
  givenUp: number;
}

/** Counters of every pair of instances, as its caller's side sees them: machine and record. */
function tcpOf(
  system: SimulatedSystem,
  faults: readonly Fault[],
  edges: readonly EdgeSums[],
  machineOf: (instance: string) => string,
  random: Random,
): (readonly [string, TcpRecord])[] {
  const flows = new Map<string, Flow>();
  for (const edge of edges) {
    const key = `${edge.callerInstance}|${edge.calleeInstance}`;
    let flow = flows.get(key);
    if (flow === undefined) {
      flow = { edge, count: 0, refused: 0, reset: 0, givenUp: 0 };
      flows.set(key, flow);
    }
    if (edge.status === 'refused') flow.refused += edge.count;
    else flow.count += edge.count;
    if (edge.status === 'reset') flow.reset += edge.count;
    if (edge.status === 'timeout') flow.givenUp += edge.count;
  }
  return [...flows.values()].map(({ edge, count, refused, reset, givenUp }) => {
    const ends = endsOf(edge, machineOf);
    const record: TcpRecord = {
      ...ends,
      side: 'client',
      calleePort: 80,
      segmentsOut: SEGMENTS * count + refused,
      retransmits: poisson(random, SEGMENTS * count * sentAgain(slowWay(system, faults, edge))),
      resetsReceived: reset,
      resetsSent: givenUp,
      drops: {},
      connectFailures: refused > 0 ? { refused } : {},
      rttSumUs: count * 200,
      rttCount: count,
    };
    return [ends.callerMachine, record] as const;
  });
}

/** Share of segments that are sent again. */
function sentAgain(slow: Fault | undefined): number {
  return slow === undefined ? RETRANSMITS : RETRANSMITS + (LOSSY - RETRANSMITS) * (slow.severity ?? 1);
}
