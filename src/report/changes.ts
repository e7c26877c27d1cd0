/** What was changed at a cause, and when: quotas, versions, images, configuration. A fault's best witness. */
import type { Comparison } from '../model/comparison.ts';
import { compareNames } from '../model/entity.ts';
import { formatBytes, formatClock, formatNumber } from '../model/format.ts';
import type { ChangeRecord } from '../model/records.ts';
import type { RankedCause } from '../model/report.ts';

/** Changes that somebody made; exits and kills are evidence of rules. */
const TOLD: ReadonlySet<string> = new Set(['limit_changed', 'version', 'image', 'config']);
const MAX_CHANGES = 4;
const MAX_TEXT = 60;
/** A limit as its record names it, in words and in the unit of its value. */
const LIMITS: Readonly<Record<string, readonly [words: string, show: (value: number) => string]>> = {
  cpuLimit: ['CPU limit', (cores) => `${formatNumber(cores)} ${cores === 1 ? 'core' : 'cores'}`],
  memoryLimitBytes: ['memory limit', formatBytes],
};

/** The cause with the changes of its entity, or of its instances, before its other observations. */
export function withChanges(cause: RankedCause, { changes }: Comparison): RankedCause {
  const names = new Set([cause.entity.name, ...cause.instances]);
  const whole = cause.entity.kind === 'service' && cause.instances.length === 0 ? cause.entity.name : undefined;
  const texts = changes
    .filter(({ change, entity, service }) => {
      const isOwn = names.has(entity) || (whole !== undefined && service === whole);
      return isOwn && TOLD.has(change);
    })
    .sort((a, b) => a.atMs - b.atMs || compareNames(changeWords(a), changeWords(b)))
    .map(changeWords);
  const told = [...new Set(texts)].slice(0, MAX_CHANGES).map((text) => ({ text }));
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
