/**
 * The vertical walk across services: when what grew (own time, own errors, time on the way) sits on the instances of one
 * machine, belongs to at least two services, and spares the instances elsewhere, then the machine is the suspect: its CPU,
 * disk or network, or a neighbour, and not several services that failed at once.
 */
import type { Comparison } from '../model/comparison.ts';
import { compareNames, machine as machineEntity } from '../model/entity.ts';
import type { LedgerTerm, Suspect } from '../model/walk.ts';
import { isThrottled } from './induced.ts';
import type { InstanceWork, Measure, Observed } from './instance-work.ts';
import { growthOf, observe } from './instance-work.ts';

/** Share of the suspects' scores that must sit on the machine. */
const MIN_EXPLAINED = 0.75;
/** Share of the machine's own services that must be affected: a machine spares nobody for long. */
const MIN_AFFECTED = 0.6;
/** One service with more of it than this is the suspect itself. */
const MAX_OF_ONE = 0.8;
/** An instance is affected when what it shows grew by this factor, and by this much a request. */
const AFFECTED_RATIO = 1.5;
const AFFECTED_US = 500;
const AFFECTED_ERRORS = 0.02;
/** Requests an instance must have had, before and now, to speak for or against. */
const MIN_REQUESTS = 10;
/** Score that moves from the machine's services to it; the rest stays, as where it was seen. */
const MOVED = 0.9;

/** @returns the suspects, with one more for the machine that they have in common, if there is one */
export function withMachine(comparison: Comparison, suspects: readonly Suspect[]): readonly Suspect[] {
  const scored = suspects.filter((suspect) => measureOf(suspect.term) !== undefined && suspect.score > 0);
  if (scored.length < 2) return suspects;
  const observed = observe(comparison);
  const { instances } = observed;
  const machines = [...new Set([...instances.values()].map(({ machine }) => machine))].sort(compareNames);
  if (machines.length < 2) return suspects;
  const total = scored.reduce((sum, { score }) => sum + score, 0);
  const shares = scored.map((suspect) => sharesOf(suspect, observed));
  let best: { name: string; weight: number } | undefined;
  for (const name of machines) {
    const weight = scored.reduce((sum, { score }, i) => sum + score * (shares[i]!.get(name) ?? 0), 0);
    if (best === undefined || weight > best.weight) best = { name, weight };
  }
  if (best === undefined || best.weight < MIN_EXPLAINED * total) return suspects;
  const { name, weight } = best;
  const part = new Map(scored.map((suspect, i) => [suspect, shares[i]!.get(name) ?? 0]));
  const lead = [...scored].sort((a, b) => b.score * part.get(b)! - a.score * part.get(a)!)[0]!;
  const measure = measureOf(lead.term)!;
  const affected = affectedServices(instances, name, measure);
  if (affected === undefined || !isShared(scored, part, weight)) return suspects;
  if (comparison.resources.some((found) => affected.instances.includes(found.entity) && isThrottled(comparison, found)))
    return suspects;
  const spared =
    affected.spared === 1 ? 'one instance on another machine is' : `${affected.spared} instances on other machines are`;
  const blamed: Suspect = {
    entity: machineEntity(name),
    contribution: scored.reduce((sum, suspect) => sum + suspect.contribution * part.get(suspect)!, 0),
    score: Math.min(1, weight),
    ...onsetOf(scored.filter((suspect) => part.get(suspect)! >= MIN_EXPLAINED)),
    symptoms: [...new Set(scored.flatMap(({ symptoms }) => symptoms))].sort(compareNames),
    term: lead.term,
    path: [machineEntity(name), ...lead.path],
    observations: [
      {
        text: `${affected.services.join(', ')} on ${name} account for ${Math.round((100 * weight) / total)} % of what was found; ${spared} as before`,
        metric: 'machine_share',
        current: weight / total,
      },
    ],
    instances: affected.instances,
    machines: [name],
  };
  // What sits there (nearly) whole is the machine's trouble and no suspect of its own.
  const rest = suspects.filter((suspect) => !(part.get(suspect)! >= MIN_EXPLAINED));
  return [
    blamed,
    ...rest.map((suspect) => ({ ...suspect, score: suspect.score * (1 - MOVED * (part.get(suspect) ?? 0)) })),
  ];
}

function measureOf(term: LedgerTerm): Measure | undefined {
  return term === 'self' || term === 'network' || term === 'originated' ? term : undefined;
}

/** No service alone makes up (nearly) all of it. */
function isShared(scored: readonly Suspect[], part: ReadonlyMap<Suspect, number>, weight: number): boolean {
  const byService = new Map<string, number>();
  for (const suspect of scored) {
    const { entity, service } = suspect;
    // An edge is held against both of its ends.
    const names = entity.kind === 'edge' ? [entity.from ?? '', entity.to ?? ''] : [service ?? entity.name];
    for (const name of names) byService.set(name, (byService.get(name) ?? 0) + suspect.score * part.get(suspect)!);
  }
  return [...byService.values()].every((own) => own <= MAX_OF_ONE * weight);
}

/** Machine -> share of the growth of what the suspect stands for. Time on the way is held against both ends' machines. */
function sharesOf(suspect: Suspect, { instances, ways }: Observed): ReadonlyMap<string, number> {
  const measure = measureOf(suspect.term)!;
  const { entity, service } = suspect;
  const name = service ?? entity.name;
  const parts: (readonly [machines: readonly string[], growth: number])[] =
    measure === 'network'
      ? ways
          .filter(({ caller, callee }) =>
            entity.kind === 'edge' ? caller === entity.from && callee === entity.to : callee === name,
          )
          .map(({ machines, growth }) => [machines, growth])
      : [...instances]
          .filter(([key, { service: of }]) => of === name && (entity.kind !== 'instance' || key === entity.name))
          .map(([, instance]) => [[instance.machine], growthOf(instance, measure)]);
  const grown = new Map<string, number>();
  let total = 0;
  for (const [machines, growth] of parts) {
    if (!(growth > 0)) continue;
    total += growth;
    for (const machine of machines) grown.set(machine, (grown.get(machine) ?? 0) + growth);
  }
  return new Map([...grown].map(([machine, growth]) => [machine, growth / total]));
}

/** The machine's services when most of them are affected and the instances elsewhere mostly are not. */
function affectedServices(
  instances: ReadonlyMap<string, InstanceWork>,
  machine: string,
  measure: Measure,
): { services: string[]; instances: string[]; spared: number } | undefined {
  const here = new Map<string, boolean>();
  const names: string[] = [];
  let spared = 0;
  let elsewhere = 0;
  for (const [name, instance] of instances) {
    const verdict = isAffected(instance, measure);
    if (verdict === undefined) continue;
    if (instance.machine === machine) {
      here.set(instance.service, verdict || here.get(instance.service) === true);
      if (verdict) names.push(name);
    } else {
      elsewhere++;
      if (!verdict) spared++;
    }
  }
  const services = [...here].filter(([, verdict]) => verdict).map(([name]) => name);
  if (services.length < 2 || services.length < MIN_AFFECTED * here.size) return undefined;
  // Calls to and from the machine show at their other ends as well: there most of what is spared does not touch it.
  if (spared === 0 || (measure !== 'network' && spared < MIN_AFFECTED * elsewhere)) return undefined;
  return { services: services.sort(compareNames), instances: names.sort(compareNames), spared };
}

/** undefined: too little traffic, or no durations, to tell. */
function isAffected({ before, now }: InstanceWork, measure: Measure): boolean | undefined {
  const [was, is] = measure === 'network' ? [before.crossings, now.crossings] : [before.requests, now.requests];
  if (was < MIN_REQUESTS || is < MIN_REQUESTS) return undefined;
  const rise = now[measure] / is - before[measure] / was;
  if (!Number.isFinite(rise)) return undefined;
  if (measure === 'originated') return rise >= AFFECTED_ERRORS;
  return rise >= AFFECTED_US && now[measure] / is >= AFFECTED_RATIO * (before[measure] / was);
}

function onsetOf(suspects: readonly Suspect[]): { onsetMs?: number } {
  const onsets = suspects.flatMap(({ onsetMs }) => onsetMs ?? []);
  return onsets.length === 0 ? {} : { onsetMs: Math.min(...onsets) };
}
