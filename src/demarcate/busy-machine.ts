/**
 * Where all that is watched runs on one machine, no other tells its trouble from that of its services: its own counters do.
 * Its processors are all busy, tasks wait for them, and what is new is not the work of the services that wait.
 */
import type { Comparison, MetricPair, ResourceEntity } from '../model/comparison.ts';
import { compareNames, machine as machineEntity } from '../model/entity.ts';
import { addShares } from '../model/ledger-shares.ts';
import type { LedgerShares, Suspect } from '../model/walk.ts';
import { isThrottled } from './work.ts';

/** Of all processors' time, used now (the first window of a trouble holds some of the time before it); and more of it than before. */
const BUSY = 0.6;
const BUSIER = 0.2;
/** Of the time, some task waited for a processor more than before. */
const WAITED = 0.2;
/** Of what is used more, the services may use so much: else it is their own work. */
const OWN = 0.5;
/** Score that moves from the services to the machine; the rest stays, as where it was seen. */
const MOVED = 0.9;

/** @returns the suspects, with one more for the machine if its processors hold up its services */
export function withBusyMachine(
  comparison: Comparison,
  suspects: readonly Suspect[],
  name: string,
): readonly Suspect[] {
  const slow = suspects.filter(({ term, score }) => (term === 'self' || term === 'network') && score > 0);
  const [lead] = [...slow].sort((a, b) => b.score - a.score);
  const services = comparison.resources.filter(
    ({ entityKind, service, machine }) => entityKind === 'instance' && service !== undefined && machine === name,
  );
  if (lead === undefined || !isTaken(comparison, name, services)) return suspects;
  if (services.some((instance) => isThrottled(comparison, instance))) return suspects;
  const onsets = slow.flatMap(({ onsetMs }) => onsetMs ?? []);
  const held = [...new Set(slow.map(({ service, entity }) => service ?? entity.name))].sort(compareNames);
  const blamed: Suspect = {
    entity: machineEntity(name),
    contribution: slow.reduce((sum, { contribution }) => sum + contribution, 0),
    shares: slow.reduce<LedgerShares>((sum, { shares }) => addShares(sum, shares, 1), {}),
    score: Math.min(
      1,
      slow.reduce((sum, { score }) => sum + score, 0),
    ),
    ...(onsets.length === 0 ? {} : { onsetMs: Math.min(...onsets) }),
    symptoms: [...new Set(slow.flatMap(({ symptoms }) => symptoms))].sort(compareNames),
    term: lead.term,
    path: [machineEntity(name), ...lead.path],
    observations: [{ text: `all processors of ${name} are busy, and what uses them more is not ${held.join(', ')}` }],
    instances: services.map(({ entity }) => entity).sort(compareNames),
    machines: [name],
  };
  return [
    blamed,
    ...suspects.map((suspect) =>
      slow.includes(suspect)
        ? { ...suspect, shares: addShares(suspect.shares, suspect.shares, -MOVED), score: suspect.score * (1 - MOVED) }
        : suspect,
    ),
  ];
}

/** Its processors are busy, tasks wait, and its services are not what uses them more. Unknown is no. */
function isTaken({ resources, windowMs }: Comparison, name: string, services: readonly ResourceEntity[]): boolean {
  const own = resources.find(({ entityKind, entity }) => entityKind === 'machine' && entity === name);
  const used = metricOf(own, 'cpuUsedUs');
  const count = metricOf(own, 'cpuCount')?.currentMean ?? Number.NaN;
  const wallUs = count * windowMs * 1000;
  const more = rise(used);
  if (!((used?.currentMean ?? Number.NaN) >= BUSY * wallUs && more >= BUSIER * wallUs)) return false;
  if (!(rise(metricOf(own, 'psiCpuSomeUs')) >= WAITED * windowMs * 1000)) return false;
  const theirs = services.reduce((sum, service) => sum + Math.max(0, rise(metricOf(service, 'cpuUsedUs')) || 0), 0);
  return theirs < OWN * more;
}

function metricOf(entity: ResourceEntity | undefined, name: string): MetricPair | undefined {
  return entity?.metrics.find(({ metric }) => metric === name);
}

function rise(metric: MetricPair | undefined): number {
  return metric === undefined ? Number.NaN : metric.currentMean - metric.baselineMean;
}
