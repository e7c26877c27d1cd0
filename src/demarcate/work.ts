/** Whether a service that got slow worked: computed, waited for a processor, or was stopped by its quota. Else it waited. */
import type { Comparison, ResourceEntity } from '../model/comparison.ts';
import { ofInstances, partsOf } from '../model/metric-part.ts';
import { newcomersOf } from '../model/newcomer.ts';
import type { SideFlows, System } from './system.ts';
import { inbound, meanUs } from './system.ts';

/** CPU that explains more than this share of the growth of own time makes it work, not waiting. */
const WORK_SHARE = 0.25;
/** Of parallel calls the sum may be more than was waited for: this much of the growth is taken to be the service's own. */
const LEAST_OWN = 0.2;
/** Share of a window in which its quota stopped an instance that counts as throttled. */
const THROTTLED_SHARE = 0.1;

/**
 * True when what its instances computed, or waited for a processor, per request grew by a good part of what its own time
 * per request grew. What its callees took longer is not its own.
 */
export function worked(system: System, comparison: Comparison, name: string): boolean {
  const flows = inbound(system.service(name));
  const grownUs = meanUs(flows?.current) - meanUs(flows?.baseline);
  if (!(grownUs > 0) || flows === undefined) return false;
  if (comparison.resources.some((resource) => resource.service === name && isThrottled(comparison, resource)))
    return true;
  const seconds = comparison.windowMs / 1000;
  const instances = comparison.resources.filter(
    ({ entityKind, service }) => entityKind === 'instance' && service === name,
  );
  const fresh = new Set(newcomersOf(comparison, name)?.names);
  let before = 0;
  let now = 0;
  for (const wanted of ['cpuUsedUs', 'runQueueDelayUs']) {
    const found = instances.flatMap(({ entity, metrics }) =>
      metrics.flatMap((metric) => (metric.metric === wanted ? [{ entity, metric }] : [])),
    );
    const parts = partsOf(
      found.map(({ metric }) => metric),
      ofInstances(comparison, wanted),
    );
    parts.forEach((part, i) => {
      // Who is new did nothing before; what others did is unknown, if nobody saw it.
      before += (Number.isNaN(part.before) && fresh.has(found[i]!.entity) ? 0 : part.before) / seconds;
      now += (part.now || 0) / seconds;
    });
  }
  const perRequest = (us: number, count: number): number => (count > 0 ? us / count : 0);
  const workedUs = perRequest(now, flows.current.count) - perRequest(before, flows.baseline.count);
  const ownUs = Math.max(grownUs - calleesUs(system, name, flows), LEAST_OWN * grownUs);
  return workedUs > WORK_SHARE * ownUs;
}

/** What the calls of one request took longer than before, µs: of calls one after the other all of it is waited for. */
function calleesUs(system: System, name: string, { baseline, current }: SideFlows): number {
  return system.callees(name).reduce((sum, { client, server }) => {
    const side = client ?? server;
    const grown = (side?.current.durationUs ?? 0) / current.count - (side?.baseline.durationUs ?? 0) / baseline.count;
    return grown > 0 ? sum + grown : sum;
  }, 0);
}

/** A throttled instance is held back by its own quota, not by a callee or its machine. */
export function isThrottled(comparison: Comparison, { entityKind, metrics }: ResourceEntity): boolean {
  if (entityKind !== 'instance') return false;
  const least = THROTTLED_SHARE * comparison.windowMs * 1000;
  return metrics.some(
    ({ metric, baselineMean, currentMean }) => metric === 'cpuThrottledUs' && currentMean - baselineMean > least,
  );
}
