/** Facts of instances and machines: CPU, memory, disk. The worst instance or machine speaks, and is named. */
import type { ResourceEntity } from '../model/comparison.ts';
import { compareNames } from '../model/entity.ts';
import type { FactSheet } from './fact-sheet.ts';
import { setFact } from './fact-sheet.ts';
import { changesOf } from './facts-context.ts';
import { bestSide, rateRatio } from './facts-edge.ts';
import type { Pair } from './metric-sum.ts';
import { earliest, find, known, meanWithoutBusiest, minus, over, pairOf, smaller, times } from './metric-sum.ts';
import type { Scope } from './scope.ts';

interface Reading {
  readonly value: number | null;
  readonly onsetMs: number | null;
}

/** Reads one number from one entity's metrics. */
type Reader = (get: (metric: string) => Pair, resource: ResourceEntity) => Reading;

const reading = (value: number | null, onsetMs: number | null): Reading => ({ value, onsetMs });

/** Who shows so much of what the worst one shows is as bad. */
const ALIKE = 0.5;
/** Below this a CPU ratio is noise: two thousandths of a core. */
const CPU_FLOOR_CORES = 0.002;

export function resourceFacts(scope: Scope, sheet: FactSheet): void {
  const windowUs = scope.comparison.windowMs * 1000;
  const ofWindow = (value: number | null): number | null => times(value, 1 / windowUs);

  const instance = (name: string, read: Reader): void => worst(sheet, `instance.${name}`, scope.instances, read);
  const throttled = (p: Pair, periods: Pair, span: 'baseline' | 'current'): number | null =>
    p[span] === 0 ? 0 : over(p[span], periods[span]);
  instance('cpu_throttled_ratio', (get) => {
    const p = get('cpuThrottledPeriods');
    return reading(throttled(p, get('cpuPeriods'), 'current'), p.onsetMs);
  });
  instance('cpu_throttled_ratio_delta', (get) => {
    const p = get('cpuThrottledPeriods');
    const periods = get('cpuPeriods');
    return reading(minus(throttled(p, periods, 'current'), throttled(p, periods, 'baseline')), p.onsetMs);
  });
  instance('cpu_throttled_time_ratio', (get) => {
    const p = get('cpuThrottledUs');
    return reading(ofWindow(p.current), p.onsetMs);
  });
  instance('cpu_throttled_time_rise', (get) => rise(get('cpuThrottledUs'), windowUs));
  instance('cpu_used_of_limit', (get) => {
    const used = get('cpuUsedUs');
    return reading(over(used.current, get('cpuLimitUs').current), used.onsetMs);
  });
  instance('cpu_cores', (get) => reading(ofWindow(get('cpuUsedUs').current), get('cpuUsedUs').onsetMs));
  instance('cpu_rise_cores', (get) => {
    const used = get('cpuUsedUs');
    return reading(ofWindow(minus(used.current, used.baseline)), used.onsetMs);
  });
  instance('cpu_ratio', (get) => {
    const used = get('cpuUsedUs');
    const before = ofWindow(used.baseline);
    const now = ofWindow(used.current);
    return reading(before === null ? null : over(now, Math.max(before, CPU_FLOOR_CORES)), used.onsetMs);
  });
  instance('cpu_drop_ratio', (get, resource) => {
    const used = get('cpuUsedUs');
    const before = ofWindow(used.baseline);
    const metric = find(resource.metrics, 'cpuUsedUs');
    const ratio = before === null || before < CPU_FLOOR_CORES ? null : over(meanWithoutBusiest(metric), used.baseline);
    // Where it rose, too, it may be that by which it left its band: who was stopped catches up, who hung is started again.
    const rose = (metric?.currentMax ?? 0) > (used.baseline ?? 0);
    return reading(ratio === null ? null : Math.max(0, 1 - ratio), rose ? null : used.onsetMs);
  });
  instance('cpu_limit_ratio', (get, resource) => {
    const limit = get('cpuLimitUs');
    const cuts = limitCuts(scope, resource.entity);
    const ratio = over(limit.current, limit.baseline);
    // A mean over a quota that was given back before the end says too little.
    const least = [ratio, ...cuts.map((cut) => cut.ratio)].reduce(smaller, null);
    const first = cuts.map(({ atMs }) => atMs).reduce<number | null>(earliest, limit.onsetMs);
    return reading(least === null ? null : -least, first);
  });
  flipSign(sheet, 'instance.cpu_limit_ratio');
  instance('run_queue_delay_rise_ratio', (get) => rise(get('runQueueDelayUs'), windowUs));
  instance('memory_used_of_limit', (get) => {
    const used = get('memoryUsedBytes');
    return reading(over(used.current, get('memoryLimitBytes').current), used.onsetMs);
  });
  instance('memory_ratio', (get) => ratioOf(get('memoryUsedBytes')));
  instance('major_faults_rise_per_s', (get) => rise(get('majorFaults'), scope.comparison.windowMs / 1000));
  instance('oom_kills', (get, resource) => {
    const kills = get('oomKills');
    const windows = find(resource.metrics, 'oomKills')?.currentWindows ?? 0;
    const counted = times(kills.current, windows);
    // A counter begins again with its cgroup, and an event may be missed: neither sees more than there was.
    const seen = changesOf(scope).filter(({ change, entity }) => change === 'oom_kill' && entity === resource.entity);
    const first = seen.map(({ atMs }) => atMs).reduce<number | null>(earliest, kills.onsetMs);
    return reading(seen.length === 0 ? counted : Math.max(counted ?? 0, seen.length), first);
  });
  instance('fd_used_of_limit', (get) => reading(over(get('fdUsed').current, get('fdLimit').current), null));
  machineFacts(scope, sheet, windowUs);
  neighbourFacts(scope, sheet, windowUs);
  overflowFallback(scope, sheet);
}

/** No overflow on any listener of the machines: none on the suspect's edges. More on the machine says nothing of the edge. */
function overflowFallback(scope: Scope, sheet: FactSheet): void {
  const name = 'edge.accept_queue_overflows_rise_per_s';
  if (sheet.get(name)?.value !== null || scope.machines.length === 0) return;
  const overflows = scope.machines.map((machine) => pairOf(find(machine.metrics, 'listenOverflows')));
  if (overflows.every(({ current }) => current === 0)) setFact(sheet, name, 0);
}

function machineFacts(scope: Scope, sheet: FactSheet, windowUs: number): void {
  const machine = (name: string, read: Reader): void => worst(sheet, `machine.${name}`, scope.machines, read);
  const cores = (get: (metric: string) => Pair): number | null => get('cpuCount').current ?? get('cpuCount').baseline;
  const wall = (get: (metric: string) => Pair): number | null => times(cores(get), windowUs);
  machine('cpu_used_ratio', (get) => reading(over(get('cpuUsedUs').current, wall(get)), get('cpuUsedUs').onsetMs));
  machine('cpu_rise_ratio', (get) => {
    const used = get('cpuUsedUs');
    return reading(over(minus(used.current, used.baseline), wall(get)), used.onsetMs);
  });
  for (const [name, metric] of [
    ['psi_cpu', 'psiCpuSomeUs'],
    ['psi_memory', 'psiMemorySomeUs'],
    ['psi_io', 'psiIoSomeUs'],
  ] as const) {
    machine(`${name}_ratio`, (get) => reading(times(get(metric).current, 1 / windowUs), get(metric).onsetMs));
    machine(`${name}_rise`, (get) => rise(get(metric), windowUs));
  }
  machine('run_queue_delay_rise_ratio', (get) => rise(get('runQueueDelayUs'), windowUs));
  machine('memory_used_of_limit', (get) =>
    reading(over(get('memoryUsedBytes').current, get('memoryLimitBytes').current), get('memoryUsedBytes').onsetMs),
  );
  machine('disk_busy_ratio', (get) => {
    const busy = get('diskIoTimeUs');
    return reading(times(busy.current, 1 / windowUs), busy.onsetMs);
  });
  machine('disk_busy_rise', (get) => rise(get('diskIoTimeUs'), windowUs));
  machine('disk_latency_ratio', (get) => {
    const time = get('diskIoTimeUs');
    const ops = get('diskOps');
    return reading(over(over(time.current, ops.current), over(time.baseline, ops.baseline)), time.onsetMs);
  });
  machine('listen_overflows_rise_per_s', (get) => rise(get('listenOverflows'), windowUs / 1e6));
  machine('disk_errors', (get) => reading(get('diskErrors').current, get('diskErrors').onsetMs));
  machine('steal_ratio', (get) => reading(over(get('stealTimeUs').current, wall(get)), get('stealTimeUs').onsetMs));
  machine('softirq_rise_ratio', (get) => {
    const softirq = get('softirqTimeUs');
    return reading(over(minus(softirq.current, softirq.baseline), wall(get)), softirq.onsetMs);
  });
  machine('conntrack_used_of_max', (get) =>
    reading(over(get('conntrackCount').current, get('conntrackMax').current), get('conntrackCount').onsetMs),
  );
}

/** CPU that another service on one of the suspect's machines took in addition. */
function neighbourFacts(scope: Scope, sheet: FactSheet, windowUs: number): void {
  const on = new Map(scope.comparison.topology.runsOn.map(([instance, machine]) => [instance, machine]));
  const others = scope.comparison.resources.filter(
    (r) =>
      r.entityKind === 'instance' &&
      !scope.instanceNames.has(r.entity) &&
      (r.service === undefined || r.service !== scope.service) &&
      scope.machineNames.has(r.machine ?? on.get(r.entity) ?? ''),
  );
  worst(sheet, 'machine.neighbour_cpu_rise_cores', others, (get, resource) => {
    const used = get('cpuUsedUs');
    const before = used.baseline ?? unaccounted(scope, resource.machine ?? on.get(resource.entity));
    return reading(times(minus(used.current, before), 1 / windowUs), used.onsetMs);
  });
  const neighbour = sheet.get('machine.neighbour_cpu_rise_cores')?.witness;
  const into = scope.comparison.calls.filter(
    ({ calleeInstance }) => calleeInstance !== undefined && calleeInstance === neighbour,
  );
  setFact(sheet, 'machine.neighbour_traffic_ratio', rateRatio(scope, bestSide(into, 'server')));
}

/** CPU of a machine that nothing known on it used before the incident: who was not told of then used no more than that. */
function unaccounted({ comparison }: Scope, machine: string | undefined): number | null {
  const cpuOf = (resource: ResourceEntity | undefined): number | null =>
    pairOf(find(resource?.metrics ?? [], 'cpuUsedUs')).baseline;
  const all = cpuOf(comparison.resources.find((r) => r.entityKind === 'machine' && r.entity === machine));
  const theirs = comparison.resources
    .filter((r) => r.entityKind === 'instance' && r.machine === machine)
    .reduce((sum, instance) => sum + (cpuOf(instance) ?? 0), 0);
  return all === null ? null : Math.max(0, all - theirs);
}

/** CPU quotas of an instance that were cut, as its collector told: to what share, and when. */
function limitCuts(scope: Scope, entity: string): { readonly ratio: number; readonly atMs: number }[] {
  return changesOf(scope).flatMap(({ change, entity: whose, detail, atMs }) => {
    if (change !== 'limit_changed' || whose !== entity || detail?.limit !== 'cpuLimit') return [];
    const ratio = Number(detail.to) / Number(detail.from);
    return ratio < 1 ? [{ ratio, atMs }] : [];
  });
}

function rise(pair: Pair, divisor: number): Reading {
  return reading(times(minus(pair.current, pair.baseline), 1 / divisor), pair.onsetMs);
}

function ratioOf(pair: Pair): Reading {
  return reading(over(pair.current, pair.baseline), pair.onsetMs);
}

/** The largest value over the entities; ties go to the first name. Unknown when none knows. */
function worst(sheet: FactSheet, name: string, entities: readonly ResourceEntity[], read: Reader): void {
  const seen: { readonly value: number; readonly onsetMs: number | null; readonly witness: string }[] = [];
  for (const resource of [...entities].sort((a, b) => compareNames(a.entity, b.entity))) {
    const { value, onsetMs } = read((metric) => pairOf(find(resource.metrics, metric)), resource);
    const clean = value === null ? null : known(value);
    if (clean !== null) seen.push({ value: clean, onsetMs, witness: resource.entity });
  }
  const most = Math.max(...seen.map(({ value }) => value));
  const best = seen.find(({ value }) => value === most);
  const alike = seen
    .filter((one) => one !== best && most > 0 && one.value >= ALIKE * most)
    .map(({ witness }) => witness);
  setFact(sheet, name, best?.value ?? null, best?.onsetMs ?? null, best?.witness ?? null, alike);
}

/** For facts whose smallest value is the worst: they were collected negated. */
function flipSign(sheet: FactSheet, name: string): void {
  const detail = sheet.get(name);
  if (detail !== undefined && typeof detail.value === 'number') sheet.set(name, { ...detail, value: -detail.value });
}
