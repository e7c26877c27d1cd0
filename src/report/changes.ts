/** What was changed at a cause, and when: starts, quotas, versions, images, configuration. A fault's best witness. */
import type { Comparison } from '../model/comparison.ts';
import { compareNames } from '../model/entity.ts';
import { formatBytes, formatClock, formatNumber } from '../model/format.ts';
import type { ChangeRecord } from '../model/records.ts';
import type { RankedCause } from '../model/report.ts';
import { startWords } from './starts.ts';

/** Changes that somebody made; exits and kills are evidence of rules. */
const TOLD: ReadonlySet<string> = new Set(['limit_changed', 'version', 'image', 'config']);
const MAX_CHANGES = 4;
const MAX_TEXT = 60;
/** A limit as its record names it, in words and in the unit of its value. */
const LIMITS: Readonly<Record<string, readonly [words: string, show: (value: number) => string]>> = {
  cpuLimit: ['CPU limit', (cores) => `${formatNumber(cores)} ${cores === 1 ? 'core' : 'cores'}`],
  memoryLimitBytes: ['memory limit', formatBytes],
};

/** What was started and changed at a cause, or at its instances: a sentence each, starts first. Cost: O(calls + changes). */
export function changesAt(cause: RankedCause, comparison: Comparison): string[] {
  const names = new Set([cause.entity.name, ...cause.instances]);
  const whole = cause.entity.kind === 'service' && cause.instances.length === 0 ? cause.entity.name : undefined;
  const texts = comparison.changes
    .filter(({ change, entity, service }) => {
      const isOwn = names.has(entity) || (whole !== undefined && service === whole);
      return isOwn && TOLD.has(change);
    })
    .sort((a, b) => a.atMs - b.atMs || compareNames(changeWords(a), changeWords(b)))
    .map(changeWords);
  const started = startWords(cause, comparison);
  return [...new Set([...(started === undefined ? [] : [started]), ...texts])].slice(0, MAX_CHANGES);
}

/** The cause with these before its other observations. */
export function withChanges(cause: RankedCause, comparison: Comparison): RankedCause {
  const told = changesAt(cause, comparison).map((text) => ({ text }));
  return told.length === 0 ? cause : { ...cause, observations: [...told, ...cause.observations] };
}

function changeWords({ atMs, change, entity, detail = {} }: ChangeRecord): string {
  const at = `seen at ${formatClock(atMs)}`;
  const { from, to, limit } = detail;
  const [words, show] = LIMITS[limit ?? ''] ?? [change === 'limit_changed' ? 'limit' : change, String];
  const value = (text: string | undefined): string => {
    const number = Number(text);
    return text === undefined ? 'unknown' : Number.isNaN(number) ? text.slice(0, MAX_TEXT) : show(number);
  };
  const step = from === undefined && to === undefined ? '' : ` from ${value(from)} to ${value(to)}`;
  return `${words} of ${entity} changed${step}, ${at}`;
}
