/** One window of requests through a system, one by one: what every edge saw, and the CPU time every instance used. */
import type { Random } from '../../src/stats/random.ts';
import { normal, poisson } from '../../src/stats/random.ts';
import type { Fault } from './fault.ts';
import { SURGE } from './fault.ts';
import { hangAt, TURNED_AWAY_US } from './hangs.ts';
import type { SimulatedSystem } from './system.ts';
import { NETWORK_US } from './system.ts';

export const WINDOW_MS = 5_000;
const SIGMA = 0.5;
const ERRORS = 0.0005;
const REFUSED_US = 200;
/** Share of a service's own time that it computes; the rest it waits. */
const ON_CPU = 0.5;
/** A breaker that saw half of its calls fail opens; every tenth call is made all the same, and what its failure takes. */
const BREAKS = 0.5;
const PROBED = 0.1;
const BROKEN_US = 50;
const TELLING_CALLS = 5;
/** Callers that are no service of the system. */
const CLIENT = -1;
const JOB = -2;
/** Pareto's index of the long tail: its mean exists, its variance does not; bounded by a timeout. */
const TAIL_INDEX = 1.5;
const TAIL_LEAST = 5;
const TAIL_MOST = 500;
/** Own time of each kind of request, as a multiple of a service's: 1 in the usual mix. */
export const KIND_TIMES = [0.5, 1.5, 5.5];
/** What all requests are where kinds are not told apart. */
const ANY = -1;
/** What came of a call; the first two are statuses. */
export type Status = '200' | '500' | 'refused' | 'reset' | 'timeout' | 'left';

/** Of one edge and status: counts, µs, and histograms (bucket of scale 3 -> count) of both sides. */
export interface EdgeSums {
  readonly caller: string;
  readonly callee: string;
  readonly callerInstance: string;
  readonly calleeInstance: string;
  readonly status: Status;
  readonly operation: string;
  /** Calls as their caller saw them end. */
  count: number;
  /** As the callee saw them: none of those that never came there. */
  serverCount: number;
  clientUs: number;
  serverUs: number;
  readonly client: Map<number, number>;
  readonly server: Map<number, number>;
}

export interface Requests {
  /** In an order that only the names decide. */
  readonly edges: readonly EdgeSums[];
  /** Instance -> µs. */
  readonly cpuUs: ReadonlyMap<string, number>;
}

interface Outcome {
  /** Infinite: it hangs. */
  readonly us: number;
  readonly failed: boolean;
}

const HANGS: Outcome = { us: Number.POSITIVE_INFINITY, failed: false };

/**
 * @param faults   at work at once; none: all is well
 * @param startMs  of the window
 */
export function requestsOf(
  system: SimulatedSystem,
  faults: readonly Fault[],
  startMs: number,
  random: Random,
): Requests {
  const sums = new Map<string, EdgeSums>();
  const cpuUs = new Map<string, number>();
  const draw = (mean: number): number => mean * Math.exp(SIGMA * normal(random) - (SIGMA * SIGMA) / 2);

  const { now } = system;
  const pauses = now?.pauseEveryS === undefined ? undefined : pausesOf(system, now.pauseEveryS, random);
  /** What the weather adds to an instance's own time. */
  const weathered = (us: number, instance: string, kind: number): number => {
    if (now === undefined) return us;
    let all = us * now.load * (now.slow.get(instance) ?? 1) * (KIND_TIMES[kind] ?? 1);
    if (now.tailShare !== undefined && random() < now.tailShare)
      all *= Math.min(TAIL_MOST, TAIL_LEAST * (1 - random()) ** (-1 / TAIL_INDEX));
    const pauseUs = now.pauseUs ?? 0;
    // Who comes within a stop waits for its end.
    if (pauses?.has(instance) && random() < pauseUs / (WINDOW_MS * 1000)) all += random() * pauseUs;
    return all;
  };

  const serve = (service: number, instance: string, kind: number): Outcome => {
    const { ownUs, stages } = system.services[service]!;
    const slowing = faults.map((fault) => (isMet(fault, kind) ? slowness(system, fault, service, instance) : 1));
    const factor = slowing.reduce((product, one) => product * one, 1);
    const healthyUs = weathered(draw(ownUs), instance, kind);
    let us = healthyUs * factor;
    const computing = faults.reduce((product, fault, i) => product * (isComputing(fault) ? slowing[i]! : 1), 1);
    cpuUs.set(instance, (cpuUs.get(instance) ?? 0) + ON_CPU * (healthyUs * computing));
    const failing = faults.find(
      (fault) => fault.kind.startsWith('errors') && isHit(fault, service, instance) && isMet(fault, kind),
    );
    if (random() < (failing?.size ?? ERRORS)) return { us: us / 2, failed: true };
    let failed = false;
    for (const stage of stages) {
      let slowest = 0;
      for (const { callee, probability, async } of stage) {
        if (probability < 1 && random() >= probability) continue;
        const often = faults.find(
          (fault) => fault.kind === 'more_calls' && isHit(fault, service, instance) && fault.callee === callee,
        );
        let waited = 0;
        for (let k = 0; k < (often?.size ?? 1); k++) {
          const outcome = tries(service, instance, callee, kind);
          if (async) continue;
          waited += outcome.us;
          failed ||= outcome.failed;
        }
        slowest = Math.max(slowest, waited);
      }
      us += slowest;
      if (us === Number.POSITIVE_INFINITY) return HANGS;
      if (failed) break;
    }
    return { us, failed };
  };

  const seen = new Map<string, { calls: number; failed: number }>();
  const tries = (caller: number, callerInstance: string, callee: number, kind: number): Outcome => {
    const key = `${callerInstance}|${callee}`;
    const isOpen = (system.breakers?.get(key) ?? 0) >= BREAKS;
    if (isOpen && random() >= PROBED) return { us: BROKEN_US, failed: true };
    const outcome = triesOf(caller, callerInstance, callee, kind);
    if (system.breakers !== undefined) {
      const { calls, failed } = seen.get(key) ?? { calls: 0, failed: 0 };
      seen.set(key, { calls: calls + 1, failed: failed + Number(outcome.failed) });
    }
    return outcome;
  };

  const triesOf = (caller: number, callerInstance: string, callee: number, kind: number): Outcome => {
    let us = 0;
    for (let attempt = 0; ; attempt++) {
      const outcome = call(caller, callerInstance, callee, kind);
      us += outcome.us;
      if (!outcome.failed || attempt === (system.retries ?? 0)) return { us, failed: outcome.failed };
    }
  };

  const call = (caller: number, callerInstance: string, callee: number, kind: number): Outcome => {
    const { name, instances } = system.services[callee]!;
    const from = caller >= 0 ? system.services[caller]!.name : caller === JOB ? 'nightly-job' : 'client';
    const instance = instances[Math.floor(random() * instances.length)]!;
    const ends = {
      caller: from,
      callee: name,
      callerInstance,
      calleeInstance: instance,
      operation: kind === ANY ? 'GET /' : `GET /${kind}`,
    };
    const broken = brokenBy(faults, callee, instance, random);
    if (broken !== undefined) {
      add(sums, { ...ends, status: broken }, REFUSED_US, Number.NaN);
      return { us: REFUSED_US, failed: true };
    }
    const stopped = system.open === undefined ? undefined : hangAt(faults, callee, instance, random);
    const isFull = system.open?.isFull(instance) === true;
    const isUnread = isFull || (stopped !== undefined && stopped.kind !== 'stuck');
    if (isFull && caller === CLIENT && faults.some(({ turnsAway }) => turnsAway)) {
      add(sums, { ...ends, status: '500' }, TURNED_AWAY_US, TURNED_AWAY_US);
      return { us: TURNED_AWAY_US, failed: true };
    }
    const { us, failed } = stopped !== undefined || isUnread ? HANGS : serve(callee, instance, kind);
    const slow = slowWay(system, faults, ends);
    const way = draw(NETWORK_US) + (slow !== undefined && random() < 0.5 ? draw(2 * slow.size) : 0);
    const patience = caller >= 0 ? (system.patience ?? Number.POSITIVE_INFINITY) : Number.POSITIVE_INFINITY;
    const patienceUs = patience * (system.meanUs[callee]! + NETWORK_US);
    if (us === Number.POSITIVE_INFINITY && patienceUs === Number.POSITIVE_INFINITY) {
      system.open?.add(ends, startMs + random() * WINDOW_MS, !isUnread, caller === CLIENT);
      return HANGS;
    }
    if (us + way > patienceUs) {
      // The callee goes on, and answers nobody; or it notices that it was left.
      add(sums, { ...ends, status: 'timeout' }, patienceUs, Number.NaN);
      if (us === Number.POSITIVE_INFINITY) {
        if (!isUnread && callee % 2 === 1) add(sums, { ...ends, status: 'left' }, Number.NaN, patienceUs);
      } else if (callee % 2 === 1 && us > patienceUs) add(sums, { ...ends, status: 'left' }, Number.NaN, patienceUs);
      else add(sums, { ...ends, status: failed ? '500' : '200' }, Number.NaN, us);
      return { us: patienceUs, failed: true };
    }
    add(sums, { ...ends, status: failed ? '500' : '200' }, us + way, us);
    return { us: us + way, failed };
  };

  const kindOf = (): number => {
    if (now?.kinds === undefined) return ANY;
    let left = random();
    for (const [kind, share] of now.kinds.entries()) {
      if (left < share) return kind;
      left -= share;
    }
    return now.kinds.length - 1;
  };

  const traffic = faults.reduce(
    (product, { kind, size, severity = 1 }) =>
      product * (kind === 'surge' ? 1 + (SURGE - 1) * severity : kind === 'drop' ? size : 1),
    1,
  );
  const requests = poisson(random, (traffic * system.requestsPerS * WINDOW_MS) / 1000);
  for (let r = 0; r < requests; r++) call(CLIENT, 'client-1', 0, kindOf());
  if (now?.job !== undefined) {
    const { callee, perS } = now.job;
    for (let r = poisson(random, (perS * WINDOW_MS) / 1000); r > 0; r--) call(JOB, 'nightly-job-1', callee, kindOf());
  }
  for (const { isRead, us, ...ends } of system.open?.leaving(startMs + WINDOW_MS) ?? []) {
    add(sums, { ...ends, status: 'timeout' }, us, Number.NaN);
    if (isRead) add(sums, { ...ends, status: 'left' }, Number.NaN, us);
  }
  for (const [key, { calls, failed }] of seen) if (calls >= TELLING_CALLS) system.breakers?.set(key, failed / calls);
  const edges = [...sums].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, entry]) => entry);
  return { edges, cpuUs };
}

/** Instances that stop once within the window. */
function pausesOf({ services }: SimulatedSystem, everyS: number, random: Random): Set<string> {
  const share = WINDOW_MS / 1000 / everyS;
  return new Set(services.flatMap(({ instances }) => instances.filter(() => random() < share)));
}

/** The fault of the way: a slow edge; or what enters or leaves a machine with a bad network, not what stays within it. */
export function slowWay(
  { services, machineOf }: SimulatedSystem,
  faults: readonly Fault[],
  way: Pick<EdgeSums, 'caller' | 'callee' | 'callerInstance' | 'calleeInstance'>,
): Fault | undefined {
  return faults.find((fault) => {
    if (fault.kind === 'slow_edge')
      return way.caller === services[fault.caller!]!.name && way.callee === services[fault.service]!.name;
    if (fault.kind !== 'lossy_machine') return false;
    return (
      (machineOf.get(way.callerInstance) === fault.machine) !== (machineOf.get(way.calleeInstance) === fault.machine)
    );
  });
}

function isMet({ ofKind }: Fault, kind: number): boolean {
  return ofKind === undefined || kind === ofKind;
}

function isHit(fault: Fault, service: number, instance: string): boolean {
  return (
    fault.service === service &&
    (fault.instance === undefined || fault.instance === instance) &&
    (fault.released === undefined || fault.released.has(instance))
  );
}

/** Factor on the own time of an instance. */
function slowness({ machineOf }: SimulatedSystem, fault: Fault, service: number, instance: string): number {
  switch (fault.kind) {
    case 'slow_service':
    case 'slow_instance':
    case 'slow_external':
    case 'throttled':
    case 'surge':
      return isHit(fault, service, instance) ? fault.size : 1;
    case 'slow_machine':
    case 'busy_machine':
    case 'slow_disk':
      return machineOf.get(instance) === fault.machine ? fault.size : 1;
    default:
      return 1;
  }
}

/** Whether what takes longer is computing: slow code may be, a slow processor is; a quota, a neighbour, a disk make wait. */
function isComputing(fault: Fault): boolean {
  return fault.kind === 'slow_machine' || (fault.kind.startsWith('slow') && fault.onCpu === true);
}

function brokenBy(faults: readonly Fault[], callee: number, instance: string, random: Random): Status | undefined {
  const here = faults.filter((fault) => isHit(fault, callee, instance));
  if (here.some(({ kind, size }) => kind === 'refused' && (size >= 1 || random() < size))) return 'refused';
  return here.some(({ kind, size }) => kind === 'oom' && random() < size) ? 'reset' : undefined;
}

type Ends = Pick<EdgeSums, 'caller' | 'callee' | 'callerInstance' | 'calleeInstance' | 'operation' | 'status'>;

/** NaN: that side saw nothing of this outcome. */
function add(sums: Map<string, EdgeSums>, ends: Ends, clientUs: number, serverUs: number): void {
  const key = [ends.caller, ends.callee, ends.callerInstance, ends.calleeInstance, ends.status, ends.operation].join(
    '|',
  );
  let entry = sums.get(key);
  if (entry === undefined) {
    entry = { ...ends, count: 0, serverCount: 0, clientUs: 0, serverUs: 0, client: new Map(), server: new Map() };
    sums.set(key, entry);
  }
  if (!Number.isNaN(clientUs)) {
    entry.count++;
    entry.clientUs += clientUs;
    bump(entry.client, clientUs);
  }
  if (Number.isNaN(serverUs)) return;
  entry.serverCount++;
  entry.serverUs += serverUs;
  bump(entry.server, serverUs);
}

function bump(buckets: Map<number, number>, us: number): void {
  const bucket = Math.max(0, Math.ceil(Math.log2(Math.max(1, us)) * 8) - 1);
  buckets.set(bucket, (buckets.get(bucket) ?? 0) + 1);
}
