/** Suspects with their verdicts, ranked. Suspects that blame one entity for one class are one cause. */
import type { Entity } from '../model/entity.ts';
import { compareNames, entityKey } from '../model/entity.ts';
import { addShares } from '../model/ledger-shares.ts';
import type { RankedCause } from '../model/report.ts';
import type { Excluded, Verdict } from '../model/verdict.ts';
import type { LedgerShares, Observation, Suspect, Walk } from '../model/walk.ts';
import { causeKey } from './accounts.ts';
import { finite } from './canonical.ts';

const MAX_CAUSES = 10;
const MAX_OBSERVATIONS = 8;
/** Causes that carry their facts, so that rules can be tried on the report later. */
const CAUSES_WITH_FACTS = 3;
/** An unexplained suspect weighs this much of its score; an explained one 0.5 to 1 by its confidence. */
const UNKNOWN_WEIGHT = 0.4;
/** Unknown suspects below this share of the change are not worth a line when something else was found. */
const NEGLIGIBLE_SHARE = 0.05;
const MOST_OF_IT = 0.5;
const TRAFFIC_CLASSES: ReadonlySet<string> = new Set(['traffic_surge', 'traffic_drop']);

interface Draft {
  readonly suspect: Suspect;
  readonly verdict: Verdict;
  readonly entity: Entity;
  readonly weight: number;
  readonly order: number;
}

/**
 * The causes of the first walk, and one for each further walk whose first has a class and accounts for half: after the
 * first, and after a second that accounts for most of another change. Nothing stands before the first, nor twice.
 */
export function allCauses(
  walk: Walk,
  verdicts: readonly Verdict[],
  further: readonly (readonly Verdict[])[],
  startMs: number,
): RankedCause[] {
  const first = rankCauses(walk, verdicts, startMs);
  const found = (walk.further ?? []).flatMap((one, i) => {
    const [lead] = rankCauses(one, further[i] ?? [], startMs);
    const isTold = lead !== undefined && lead.faultClass !== 'unknown' && (lead.contribution ?? 0) >= MOST_OF_IT;
    const since = one.compared === undefined ? {} : { sinceMs: one.compared.current.fromMs };
    return isTold ? [{ ...lead, symptom: one.symptom, ...since }] : [];
  });
  if (found.length === 0) return first;
  const [causes, more] = withSource(walk, first, found);
  const told = causes.slice(0, 2).filter((cause, i) => i === 0 || (cause.contribution ?? 0) >= MOST_OF_IT);
  const fresh = more.filter((cause, i) =>
    [...told, ...more.slice(0, i)].every((other) => causeKey(other) !== causeKey(cause)),
  );
  const rest = causes.slice(told.length).filter((cause) => fresh.every((other) => causeKey(other) !== causeKey(cause)));
  return [...told, ...fresh, ...rest].slice(0, MAX_CAUSES).map((cause, i) => ({ ...cause, rank: i + 1 }));
}

/** Where the requests come from that a service of a further walk cannot keep up with is part of that cause. */
function withSource(
  walk: Walk,
  causes: readonly RankedCause[],
  more: readonly RankedCause[],
): [causes: readonly RankedCause[], more: readonly RankedCause[]] {
  const [first, ...others] = causes;
  const callers = new Set(walk.suspects.flatMap(({ entity, term }) => (term === 'caller' ? [entityKey(entity)] : [])));
  const source = others.find(
    ({ entity, faultClass }) =>
      (faultClass === 'unknown' || faultClass === 'traffic_surge') && callers.has(entityKey(entity)),
  );
  const surge = more.find(({ faultClass }) => TRAFFIC_CLASSES.has(faultClass));
  if (first === undefined || source === undefined || surge === undefined) return [causes, more];
  const joined = {
    ...surge,
    observations: [...source.observations, ...surge.observations].slice(0, MAX_OBSERVATIONS),
    suspects: uniqueEntities([...surge.suspects, ...source.suspects]),
  };
  return [[first, ...others.filter((one) => one !== source)], more.map((one) => (one === surge ? joined : one))];
}

function rankCauses(walk: Walk, verdicts: readonly Verdict[], startMs: number): RankedCause[] {
  const drafts = walk.suspects.flatMap((suspect, order): Draft[] => {
    const verdict = verdicts[order];
    if (verdict === undefined) return [];
    const trust = verdict.faultClass === 'unknown' ? UNKNOWN_WEIGHT : 0.5 + 0.5 * verdict.confidence;
    return [
      { suspect, verdict, entity: verdict.blames ?? suspect.entity, weight: Math.max(0, suspect.score) * trust, order },
    ];
  });
  drafts.sort(
    (a, b) => b.weight - a.weight || a.order - b.order || compareNames(entityKey(a.entity), entityKey(b.entity)),
  );
  const groups = new Map<string, Draft[]>();
  for (const draft of drafts) {
    const key = groupKey(draft, drafts);
    groups.set(key, [...(groups.get(key) ?? []), draft]);
  }
  const ordered = [...groups.values()]
    .map((group) => [...group.filter((d) => !isPart(d, drafts)), ...group.filter((d) => isPart(d, drafts))])
    .sort((a, b) => weightOf(b) - weightOf(a) || (a[0]?.order ?? 0) - (b[0]?.order ?? 0));
  const merged = ordered.filter((group, i) => i === 0 || !isNegligible(group) || ordered.every((g) => isNegligible(g)));
  return merged.slice(0, MAX_CAUSES).map((group, i) => toCause(group, i + 1, startMs));
}

/** Leads no cause that others lead. */
function isPart(draft: Draft, drafts: readonly Draft[]): boolean {
  return draft.verdict.defers === true || trafficOf(draft, drafts) !== undefined;
}

function weightOf(group: readonly Draft[]): number {
  return group.reduce((sum, draft) => sum + draft.weight, 0);
}

/**
 * Where more or fewer requests come from is no cause beside the surge or the drop that they are. A way that got worse under
 * more requests is part of the surge as well; fewer may come because they are lost on it.
 */
function trafficOf({ suspect, verdict }: Draft, drafts: readonly Draft[]): Draft | undefined {
  if (suspect.term !== 'caller' || verdict.faultClass === 'traffic_drop') return undefined;
  const suffering = drafts.find(
    (other) => other.verdict.faultClass === 'traffic_surge' && other.suspect.term !== 'caller',
  );
  if (suffering !== undefined || verdict.faultClass !== 'unknown') return suffering;
  return drafts.find((other) => TRAFFIC_CLASSES.has(other.verdict.faultClass));
}

/** Entity and class; a draft that only waits for another entity joins the best cause of that entity, step by step. */
function groupKey(draft: Draft, drafts: readonly Draft[]): string {
  let at = trafficOf(draft, drafts) ?? draft;
  const seen = new Set<Draft>();
  while (at.verdict.defers === true && !seen.has(at)) {
    seen.add(at);
    const wanted = entityKey(at.entity);
    const isTarget = (d: Draft): boolean =>
      !seen.has(d) &&
      d.verdict.faultClass !== 'unknown' &&
      (entityKey(d.entity) === wanted ||
        entityKey(d.suspect.entity) === wanted ||
        d.suspect.service === at.entity.name);
    const next = drafts.find((d) => isTarget(d) && d.verdict.defers !== true) ?? drafts.find(isTarget);
    if (next === undefined) break;
    at = next;
  }
  return causeKey({ entity: at.entity, faultClass: at.verdict.faultClass });
}

function isNegligible(group: readonly Draft[]): boolean {
  const [first] = group;
  if (first === undefined || first.verdict.faultClass !== 'unknown') return false;
  const share = contributionOf(sharesOf(group));
  return share !== null && share < NEGLIGIBLE_SHARE;
}

/** Of suspects that are one cause shares of the same ledger add. */
function sharesOf(group: readonly Draft[]): LedgerShares {
  return group.reduce<LedgerShares>((sum, { suspect }) => addShares(sum, known(suspect.shares)), {});
}

function known(shares: LedgerShares): LedgerShares {
  return Object.fromEntries(Object.entries(shares).filter(([, share]) => Number.isFinite(share)));
}

/** The largest of the shares; null when none is known. */
function contributionOf(shares: LedgerShares): number | null {
  const all = Object.values(shares);
  return all.length === 0 ? null : Math.max(...all);
}

/**
 * When the evidence of the one that leads began, or its own numbers changed. Before the incident only by evidence: another
 * anomaly of its own, or of whoever waits for it, may be anything.
 */
function onsetOf({ suspect, verdict }: Draft, startMs: number): number | null {
  const own = suspect.onsetMs === undefined ? [] : [Math.max(suspect.onsetMs, startMs)];
  const onsets = [...own, ...(verdict.onsetMs === undefined ? [] : [verdict.onsetMs])];
  return onsets.length === 0 ? null : Math.min(...onsets);
}

function toCause(group: readonly Draft[], rank: number, startMs: number): RankedCause {
  const lead = group[0] as Draft;
  const { verdict, suspect } = lead;
  const shares = sharesOf(group);
  return {
    rank,
    entity: lead.entity,
    faultClass: verdict.faultClass,
    title: verdict.title,
    ...(verdict.summary === undefined ? {} : { summary: verdict.summary }),
    ...(verdict.ruleId === undefined ? {} : { ruleId: verdict.ruleId }),
    confidence: verdict.confidence,
    contribution: contributionOf(shares),
    shares,
    onsetMs: onsetOf(lead, startMs),
    evidence: verdict.evidence,
    observations: uniqueObservations(group.flatMap((d) => d.suspect.observations)).slice(0, MAX_OBSERVATIONS),
    excluded: uniqueExcluded(verdict.excluded, verdict.faultClass),
    missing: verdict.missing,
    remedy: verdict.remedy ?? null,
    path: pathFrom(lead.entity, suspect),
    // Of an instance that the rule blames, what the suspect had been narrowed to says no more.
    instances:
      lead.entity.kind === 'instance'
        ? [lead.entity.name]
        : uniqueNames(group.flatMap((d) => d.suspect.instances ?? [])),
    machines: uniqueNames(group.flatMap((d) => d.suspect.machines ?? [])),
    suspects: uniqueEntities(group.map((d) => d.suspect.entity)),
    undecided: uniqueExcluded(verdict.undecided ?? [], verdict.faultClass),
    ...(rank <= CAUSES_WITH_FACTS && verdict.facts !== undefined ? { facts: verdict.facts } : {}),
  };
}

/** The suspect's path, beginning at the entity that is to blame. */
function pathFrom(entity: Entity, suspect: Suspect): readonly Entity[] {
  const { path } = suspect;
  const whole =
    path.length > 0 && path[0] !== undefined && entityKey(path[0]) === entityKey(suspect.entity)
      ? path
      : [suspect.entity, ...path];
  return entityKey(entity) === entityKey(suspect.entity) ? whole : uniqueEntities([entity, ...whole]);
}

/** One line per class: rules of the same class say the same. */
function uniqueExcluded(excluded: readonly Excluded[], own: string): Excluded[] {
  const seen = new Set<string>([own]);
  return excluded.filter(({ faultClass }) => {
    if (seen.has(faultClass)) return false;
    seen.add(faultClass);
    return true;
  });
}

function uniqueObservations(observations: readonly Observation[]): Observation[] {
  const seen = new Set<string>();
  return observations.flatMap((observation) => {
    if (seen.has(observation.text)) return [];
    seen.add(observation.text);
    const { text, metric, baseline, current } = observation;
    return [
      {
        text,
        ...(metric === undefined ? {} : { metric }),
        ...(finite(baseline) === null ? {} : { baseline: baseline as number }),
        ...(finite(current) === null ? {} : { current: current as number }),
      },
    ];
  });
}

export function uniqueEntities(entities: readonly Entity[]): Entity[] {
  const seen = new Set<string>();
  return entities.filter((entity) => {
    const key = entityKey(entity);
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

function uniqueNames(names: readonly string[]): string[] {
  return [...new Set(names)].sort(compareNames);
}
