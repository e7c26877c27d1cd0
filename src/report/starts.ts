/** What was started at a cause just before its trouble: a new version in the place of the old one, or beside it. */
import type { Comparison } from '../model/comparison.ts';
import { isCrash } from '../model/crash.ts';
import { compareNames } from '../model/entity.ts';
import { formatClock, formatSeconds, listOf, sharePercent } from '../model/format.ts';
import { newcomersOf } from '../model/newcomer.ts';
import type { ChangeRecord } from '../model/records.ts';
import type { RankedCause } from '../model/report.ts';

/** An old instance started longer ago than this is not what the trouble began with; a new one warmed up until now. */
const LOOKBACK_MS = 120_000;
/** A start that is seen so many windows after the trouble began may still have brought it: onsets are no finer. */
const LATEST_WINDOWS = 2;
/** New instances with less of the calls are beside the point. */
const MIN_SHARE = 0.05;
const MOST_NAMED = 3;

/** One sentence, or none. Cost: O(calls + changes). */
export function startWords({ entity }: RankedCause, comparison: Comparison): string | undefined {
  if (entity.kind === 'instance') return instanceWords(entity.name, comparison);
  return entity.kind === 'service' ? serviceWords(entity.name, comparison) : undefined;
}

function instanceWords(name: string, comparison: Comparison): string | undefined {
  const service = serviceOf(comparison, name);
  const isNew = service !== undefined && newcomersOf(comparison, service)?.names.includes(name) === true;
  if (!isNew) return againWords([name], comparison);
  const start = firstStart(comparison, [name]);
  if (isLater(start, comparison)) return undefined;
  const started = start === undefined ? '' : `, started ${when(start, comparison)}`;
  return `${name} is new${started}: it is held against what the other instances of ${service} were before`;
}

function serviceWords(name: string, comparison: Comparison): string | undefined {
  const newcomers = newcomersOf(comparison, name);
  if (newcomers === undefined || newcomers.share <= MIN_SHARE) {
    const aside = new Set(newcomers?.names);
    const old = instancesOf(comparison, name).filter((instance) => !aside.has(instance));
    return againWords(old, comparison);
  }
  const { names, of, share } = newcomers;
  const start = firstStart(comparison, names);
  if (isLater(start, comparison)) return undefined;
  const started = start === undefined ? '' : ` started ${when(start, comparison)}`;
  if (of === 1) return `the only instance of ${name} is new (${names[0]})${started && `,${started}`}`;
  const count = names.length === of ? `all ${of}` : `${names.length} of ${of}`;
  const [are, they] = names.length === 1 ? ['is', 'it answers'] : ['are', 'they answer'];
  const first = started && (names.length === 1 ? `,${started}` : `, the first of them${started}`);
  return `${count} instances of ${name} ${are} new (${listOf(names, MOST_NAMED)})${first}; ${they} ${sharePercent(share)} of its calls`;
}

function againWords(names: readonly string[], comparison: Comparison): string | undefined {
  const start = firstStart(comparison, names, comparison.current.fromMs - LOOKBACK_MS);
  if (start === undefined || isLater(start, comparison)) return undefined;
  const { changes } = comparison;
  const isAgain = changes.some(
    ({ change, entityKind, entity, atMs }) =>
      change === 'process_exit' && entityKind === 'instance' && entity === start.entity && atMs <= start.atMs,
  );
  return `${start.entity} was started ${isAgain ? 'anew ' : ''}${when(start, comparison)}`;
}

/** Long after the trouble began: in answer to it, not its beginning. */
function isLater(start: ChangeRecord | undefined, { current, windowMs }: Comparison): boolean {
  return start !== undefined && start.atMs > current.fromMs + LATEST_WINDOWS * windowMs;
}

function when({ atMs }: ChangeRecord, { current: { fromMs } }: Comparison): string {
  const ago = atMs < fromMs ? `, ${formatSeconds((fromMs - atMs) / 1000)} before the trouble` : '';
  return `at ${formatClock(atMs)}${ago}`;
}

function serviceOf({ topology }: Comparison, name: string): string | undefined {
  return topology.partOf.find(([instance]) => instance === name)?.[1];
}

function instancesOf({ topology }: Comparison, name: string): string[] {
  return topology.partOf.flatMap(([instance, service]) => (service === name ? [instance] : []));
}

/** The first of them that was started since then and had not crashed: what follows a crash is its own story. */
function firstStart(
  { changes }: Comparison,
  names: readonly string[],
  sinceMs = Number.NEGATIVE_INFINITY,
): ChangeRecord | undefined {
  const own = changes.filter(
    ({ entityKind, entity, atMs }) => entityKind === 'instance' && names.includes(entity) && atMs >= sinceMs,
  );
  const crashed = new Set(own.filter(isCrash).map(({ entity }) => entity));
  return own
    .filter(({ change, entity }) => change === 'process_start' && !crashed.has(entity))
    .sort((a, b) => a.atMs - b.atMs || compareNames(a.entity, b.entity))[0];
}
