/**
 * The vertical walk across services: when what grew (own time, own errors, time on the way) sits on the instances of one
 * machine, belongs to at least two services, and spares the instances elsewhere, then the machine is the suspect: its CPU,
 * disk or network, or a neighbour, and not several services that failed at once.
 */
import type { Comparison } from '../model/comparison.ts';
import { compareNames, machine as machineEntity } from '../model/entity.ts';
import { addShares } from '../model/ledger-shares.ts';
import type { LedgerShares, Suspect } from '../model/walk.ts';
import { median } from '../stats/robust.ts';
import { withBusyMachine } from './busy-machine.ts';
import type { Measure, Unit, Units } from './instance-work.ts';
import { observe } from './instance-work.ts';
import type { Part } from './machine-parts.ts';
import { grownParts, measureOf, NEARLY_WHOLE, sharesOf } from './machine-parts.ts';
import { isThrottled } from './work.ts';

/** Share of the suspects' scores that must sit on the machine. */
const MIN_EXPLAINED = 0.75;
/** Of what got slow, where something else got slow at the same time. Errors begin at few services: two of them prove less. */
const MOST_OF_IT = 0.5;
/** Share of the machine's own services that must be affected: a machine spares nobody for long. */
const MIN_AFFECTED = 0.6;
/** One service with more of it than this is the suspect itself, unless so many got slower by the same factor. */
const MAX_OF_ONE = 0.8;
const SAME_FACTOR = 1.4;
const SAME_FACTOR_SERVICES = 3;
/** A link treats all packets alike: calls over it grow by as much each, times what they differ in packets. */
const SAME_LINK_FACTOR = 3;
/** An instance, or the way between two, is affected when what it shows grew by this factor, and by this much a request. */
const AFFECTED_RATIO = 1.5;
const AFFECTED_US = 500;
const AFFECTED_ERRORS = 0.02;
/** What does not touch the machine and grew by less than this share of what does is spared: others only notice. */
const NOTICED = 0.1;
/** Requests it must have had, before and now, to speak for or against. */
const MIN_REQUESTS = 10;
/** Score that moves from the machine's services to it; the rest stays, as where it was seen. */
const MOVED = 0.9;

/**
 * @returns the suspects, with one more for the machine that they have in common, if there is one; else for the machine that
 * those of one ledger have in common, as another fault may make up the other ledger
 */
export function withMachine(comparison: Comparison, suspects: readonly Suspect[]): readonly Suspect[] {
  const scored = suspects.filter((suspect) => measureOf(suspect.term) !== undefined && suspect.score > 0);
  if (scored.length === 0) return suspects;
  const units = observe(comparison);
  const machines = [...new Set(units.self.flatMap(({ ends }) => ends.map(({ machine }) => machine)))].sort(
    compareNames,
  );
  if (machines.length === 1) return withBusyMachine(comparison, suspects, machines[0]!);
  if (machines.length === 0 || scored.length < 2) return suspects;
  const failing = scored.filter(({ term }) => term === 'originated');
  const slow = scored.filter(({ term }) => term !== 'originated');
  const mixed = slow.length > 0 && failing.length > 0 ? scored : [];
  const parts = new Map(scored.map((suspect) => [suspect, grownParts(suspect, units)]));
  for (const [some, least] of [
    [mixed, MIN_EXPLAINED],
    [slow, MOST_OF_IT],
    [failing, MIN_EXPLAINED],
  ] as const) {
    if (some.length < 2) continue;
    const grown = some.map((suspect) => parts.get(suspect)!);
    const found = machineOf(comparison, units, machines, suspects, some, grown, least);
    if (found !== undefined) return found;
  }
  return suspects;
}

function machineOf(
  comparison: Comparison,
  units: Units,
  machines: readonly string[],
  suspects: readonly Suspect[],
  scored: readonly Suspect[],
  grown: readonly (readonly Part[])[],
  least: number,
): readonly Suspect[] | undefined {
  const total = scored.reduce((sum, { score }) => sum + score, 0);
  const shares = grown.map(sharesOf);
  const found = machines
    .map((name) => ({ name, weight: weightOn(name, scored, shares) }))
    .filter(({ weight }) => weight >= least * total)
    .sort((a, b) => b.weight - a.weight || compareNames(a.name, b.name))
    // Both ends of a way are held against their machines: the caller's may hold as much, and carry nobody else.
    .map((one) => ({ ...one, ...affectedOn(one.name, scored, shares, units) }))
    .find(
      ({ affected, name, weight }) =>
        affected !== undefined && (affected.alike || isShared(scored, grown, name, weight)),
    );
  if (found?.affected === undefined) return undefined;
  const { name, weight, lead, part, affected } = found;
  if (comparison.resources.some((one) => affected.instances.includes(one.entity) && isThrottled(comparison, one)))
    return undefined;
  const blamed: Suspect = {
    entity: machineEntity(name),
    contribution: scored.reduce((sum, suspect) => sum + suspect.contribution * part.get(suspect)!, 0),
    shares: scored.reduce<LedgerShares>((sum, suspect) => addShares(sum, suspect.shares, part.get(suspect)!), {}),
    score: Math.min(1, weight),
    ...onsetOf(scored.filter((suspect) => part.get(suspect)! >= NEARLY_WHOLE)),
    symptoms: [...new Set(scored.flatMap(({ symptoms }) => symptoms))].sort(compareNames),
    term: lead.term,
    path: [machineEntity(name), ...lead.path],
    observations: [
      {
        text: `${affected.services.join(', ')} on ${name} account for ${Math.round((100 * weight) / total)} % of what was found; ${affected.spared}`,
        metric: 'machine_share',
        current: weight / total,
      },
    ],
    instances: affected.instances,
    machines: [name],
  };
  // What sits there (nearly) whole is the machine's trouble and no suspect of its own.
  const rest = suspects.filter((suspect) => !(part.get(suspect)! >= NEARLY_WHOLE));
  return [
    blamed,
    ...rest.map((suspect) => {
      const moved = MOVED * (part.get(suspect) ?? 0);
      const shares = addShares(suspect.shares, suspect.shares, -moved);
      return { ...suspect, shares, score: suspect.score * (1 - moved) };
    }),
  ];
}

type Shares = readonly ReadonlyMap<string, number>[];

function weightOn(machine: string, scored: readonly Suspect[], shares: Shares): number {
  return scored.reduce((sum, { score }, i) => sum + score * (shares[i]!.get(machine) ?? 0), 0);
}

/** Each suspect's part on a machine, the suspect that leads there, and whom its measure affects. */
function affectedOn(machine: string, scored: readonly Suspect[], shares: Shares, units: Units) {
  const part = new Map(scored.map((suspect, i) => [suspect, shares[i]!.get(machine) ?? 0]));
  const lead = [...scored].sort((a, b) => b.score * part.get(b)! - a.score * part.get(a)!)[0]!;
  const measure = measureOf(lead.term)!;
  return { part, lead, affected: affectedServices(units[measure], machine, measure) };
}

/** No service alone makes up (nearly) all of what sits on the machine. */
function isShared(
  scored: readonly Suspect[],
  grown: readonly (readonly Part[])[],
  machine: string,
  weight: number,
): boolean {
  const byService = new Map<string, number>();
  scored.forEach(({ score }, i) => {
    for (const [{ ends }, share] of grown[i]!) {
      const end = ends.find((one) => one.machine === machine);
      if (end !== undefined) byService.set(end.service, (byService.get(end.service) ?? 0) + score * share);
    }
  });
  return [...byService.values()].every((own) => own <= MAX_OF_ONE * weight);
}

interface Affected {
  readonly services: string[];
  readonly instances: string[];
  readonly spared: string;
  /**
   * Several services got slower by the same factor: a slower machine, not one of them beside its victims. Or each call to
   * each of them is on the way for as much longer: a link, however few of the calls one of them gets.
   */
  readonly alike: boolean;
}

/** The machine's services when most of them are affected and what does not touch it mostly is not. */
function affectedServices(units: readonly Unit[], machine: string, measure: Measure): Affected | undefined {
  const here = new Map<string, boolean>();
  /** Of those affected, the largest rise. */
  const rising = new Map<string, number>();
  /** Machines at the other ends of its ways. */
  const beyond = new Map<string, boolean>();
  const instances = new Set<string>();
  const rises: Rise[] = [];
  const others: Rise[] = [];
  for (const unit of units) {
    const rise = riseOf(unit);
    if (rise === undefined) continue;
    const end = unit.ends.find((one) => one.machine === machine);
    if (end === undefined) {
      others.push(rise);
      continue;
    }
    const verdict = isAffected(rise, measure, 0);
    here.set(end.service, verdict || here.get(end.service) === true);
    const other = unit.ends.find((one) => one.machine !== machine)?.machine;
    if (other !== undefined) beyond.set(other, verdict || beyond.get(other) === true);
    if (!verdict) continue;
    instances.add(end.instance);
    rises.push(rise);
    rising.set(end.service, Math.max(rise.by, rising.get(end.service) ?? 0));
  }
  const longest = Math.max(...rising.values());
  const usual = rises.length === 0 ? 0 : median(rises.map(({ by }) => by));
  const elsewhere = others.length;
  const spared = others.filter((rise) => !isAffected(rise, measure, NOTICED * usual)).length;
  const services = [...here].filter(([, verdict]) => verdict).map(([name]) => name);
  if (services.length < 2 || services.length < MIN_AFFECTED * here.size) return undefined;
  // Its ways to one other machine of several: something between the two.
  if (measure === 'network' && [...beyond.values()].filter(Boolean).length < MIN_AFFECTED * beyond.size)
    return undefined;
  if (spared === 0 || spared < MIN_AFFECTED * elsewhere) return undefined;
  return {
    services: services.sort(compareNames),
    instances: [...instances].sort(compareNames),
    spared: sparedWords(measure, spared),
    alike:
      measure === 'network'
        ? longest <= SAME_LINK_FACTOR * Math.min(...services.map((name) => rising.get(name)!))
        : measure === 'self' && services.length >= SAME_FACTOR_SERVICES && areAlike(rises),
  };
}

/** Most of them; what calls several at once has no own time to divide by. */
function areAlike(rises: readonly Rise[]): boolean {
  const usual = median(rises.map(({ ratio }) => ratio));
  const alike = rises.filter(({ ratio }) => ratio <= SAME_FACTOR * usual && usual <= SAME_FACTOR * ratio);
  return alike.length >= Math.max(SAME_FACTOR_SERVICES, MIN_AFFECTED * rises.length);
}

function sparedWords(measure: Measure, count: number): string {
  if (measure === 'network')
    return count === 1 ? 'one way past it is as before' : `${count} ways past it are as before`;
  return count === 1
    ? 'one instance on another machine is as before'
    : `${count} instances on other machines are as before`;
}

/** What a unit shows more for each request, and as a multiple. */
interface Rise {
  readonly by: number;
  readonly ratio: number;
}

/** undefined: too little traffic, or no durations, to tell. */
function riseOf({ before, now }: Unit): Rise | undefined {
  if (before.count < MIN_REQUESTS || now.count < MIN_REQUESTS) return undefined;
  const [was, is] = [before.sum / before.count, now.sum / now.count];
  return Number.isFinite(is - was) ? { by: is - was, ratio: is / was } : undefined;
}

/** @param least  µs, or share of the requests, a rise must have besides */
function isAffected({ by, ratio }: Rise, measure: Measure, least: number): boolean {
  if (measure === 'originated') return by >= Math.max(AFFECTED_ERRORS, least);
  // No time before, or less than none by two clocks: any rise of this size is many times as much.
  return by >= Math.max(AFFECTED_US, least) && !(ratio >= 0 && ratio < AFFECTED_RATIO);
}

function onsetOf(suspects: readonly Suspect[]): { onsetMs?: number } {
  const onsets = suspects.flatMap(({ onsetMs }) => onsetMs ?? []);
  return onsets.length === 0 ? {} : { onsetMs: Math.min(...onsets) };
}
