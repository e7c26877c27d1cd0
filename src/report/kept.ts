/**
 * What a fault showed while it lasted stays shown. An incident goes on after one of its faults is over, or while a queue
 * empties, and means over all of it no longer show what its first minute did.
 */
import { entityKey } from '../model/entity.ts';
import type { RankedCause, Report } from '../model/report.ts';
import { causeKey } from './accounts.ts';

/** @returns the causes; one without a class has the class and the evidence of the last whole report that had one for it */
export function keepShown(causes: readonly RankedCause[], previous: Report | undefined): RankedCause[] {
  if (previous === undefined || previous.provisional) return [...causes];
  return causes.map((cause) => {
    if (cause.faultClass !== 'unknown') return cause;
    const key = entityKey(cause.entity);
    const shown = previous.causes.find(
      ({ entity, faultClass }) => faultClass !== 'unknown' && entityKey(entity) === key,
    );
    return shown === undefined || causes.some((other) => causeKey(other) === causeKey(shown))
      ? cause
      : keep(cause, shown, previous);
  });
}

/** What it accounts for, since when and where is told as of now. */
function keep(now: RankedCause, shown: RankedCause, { revision }: Report): RankedCause {
  const { rank, contribution, shares, symptom, sinceMs, onsetMs, observations, path, instances, machines, suspects } =
    now;
  const { symptom: _symptom, sinceMs: _sinceMs, ...rest } = shown;
  const current = { rank, contribution, shares, onsetMs, observations, path, instances, machines, suspects };
  const whose = { ...(symptom === undefined ? {} : { symptom }), ...(sinceMs === undefined ? {} : { sinceMs }) };
  return { ...rest, ...current, ...whose, fromRevision: shown.fromRevision ?? revision };
}
