/**
 * Two faults at once: a service that got slow, or fails, while nothing of what is suspected so far accounts for it has a
 * cause of its own. It is looked for in the ledger of that service, as the first one was in the ledger of the symptom.
 */
import type { Comparison } from '../model/comparison.ts';
import { compareNames, entityKey, service } from '../model/entity.ts';
import type { Anomaly } from '../model/incident.ts';
import type { LedgerKind, Suspect, Walk } from '../model/walk.ts';
import type { Units } from './instance-work.ts';
import { observe } from './instance-work.ts';
import { grownParts, measureOf, NEARLY_WHOLE, sharesOf } from './machine-parts.ts';
import { withoutStretches } from './stretches.ts';
import { calledOf } from './suspects.ts';
import type { ChosenSymptom } from './symptom.ts';
import { hasChanged, LEDGER_OF, mostCovering } from './symptom.ts';
import type { System } from './system.ts';
import { inbound } from './system.ts';
import { walkFrom } from './walk-from.ts';

/** Of the change of a symptom: what suspects of it, known or new, must account for. */
const MOST_OF_IT = 0.5;
/** A suspect of less is not what another symptom could be put down to. */
const NOTABLE = 0.2;
/** Times the requests of before, beyond what the entry gets more; slower for having more to do is no fault of its own. */
const MORE_REQUESTS = 1.5;
const MAX_FURTHER = 2;
/** Of an edge, what is its own and not its callee's. */
const NETWORK_TIME = 'network_time_us';
/** Ledgers looked at, strongest anomalies first: a bound on cost. */
const MAX_LEDGERS = 16;

/** @returns at most two walks, each with what is new; the symptom that covers most of what is open comes first */
export function furtherWalks(system: System, comparison: Comparison, main: Walk): Walk[] {
  if (main.suspects.length === 0) return [];
  // Where all users ask for more, who cannot keep up is a cause; where they wait for it, the first walk has found it.
  const areSlow = main.ledgers.some(({ kind }) => kind === 'latency');
  const usual = areSlow ? 1 : Math.max(1, requestRatio(system, main.symptom.name));
  const elsewhere = comparison.anomalies.filter(({ entity }) => entity.name !== main.symptom.name);
  return newWalks(system, comparison, elsewhere, [main], usual);
}

/**
 * Walks from what has changed since a first trouble began: `step` compares what came later with the windows of that trouble.
 * @param before  walks of the first trouble; their suspects are known
 */
export function laterWalks(system: System, step: Comparison, before: readonly Walk[]): Walk[] {
  return newWalks(system, step, step.anomalies, before, 1);
}

/**
 * @param symptoms  anomalies to walk from; those of services count
 * @param before    walks whose suspects are known
 * @param usual     times the requests of before that everybody gets
 */
function newWalks(
  system: System,
  comparison: Comparison,
  symptoms: readonly Anomaly[],
  before: readonly Walk[],
  usual: number,
): Walk[] {
  const isFlooded = (name: string): boolean => requestRatio(system, name) >= MORE_REQUESTS * usual;
  const changed = changedServices(system, symptoms, isFlooded);
  if (changed.length === 0) return [];
  const units = observe(comparison);
  const isOne = (a: Suspect, b: Suspect): boolean =>
    isSame(comparison, a, b) || isOnWays(units, a, b) || isOnWays(units, b, a);
  const unexplained = ({ walk, ways }: Changed & { walk: Walk }, found: readonly Walk[]): Walk | undefined => {
    const named = [...before, ...found].flatMap(({ suspects }) => suspects.filter(isNotable));
    const canBeNew = (suspect: Suspect): boolean =>
      (ways?.has(entityKey(suspect.entity)) ?? true) && !isFlooded(calledOf(suspect) ?? '');
    return newIn(walk, named, isOne, canBeNew);
  };
  // Noise costs most of a ledger: only of those that are chosen.
  const quick = withoutStretches(system);
  let rest = changed.map((one) => ({ ...one, walk: walkFrom(quick, comparison, one.symptom) }));
  const found: Walk[] = [];
  while (found.length < MAX_FURTHER) {
    rest = rest.filter((one) => unexplained(one, found) !== undefined);
    const names = rest.map(({ walk }) => walk.symptom.name);
    const name = mostCovering(system, names, names);
    const chosen = rest.find(({ walk }) => walk.symptom.name === name);
    if (chosen === undefined) break;
    rest = rest.filter((one) => one !== chosen);
    const next = unexplained({ ...chosen, walk: walkFrom(system, comparison, chosen.symptom) }, found);
    if (next !== undefined) found.push(next);
  }
  return found;
}

function isNotable({ shares }: Suspect): boolean {
  const all = Object.values(shares);
  return all.length === 0 || all.some((share) => !(share < NOTABLE));
}

interface Changed {
  readonly symptom: ChosenSymptom;
  /** Known to have changed only by these ways to who it calls: keys of edges. Nothing else is asked of its ledger then. */
  readonly ways?: ReadonlySet<string>;
}

/**
 * Services that got slower or fail more with as many requests as ever: by their own numbers, and after these such as feel
 * a longer way to who they call.
 */
function changedServices(
  system: System,
  anomalies: readonly Anomaly[],
  isFlooded: (name: string) => boolean,
): Changed[] {
  const kinds = new Map<string, Set<LedgerKind>>();
  const ways = new Map<string, Set<string>>();
  const strongest = [...anomalies].sort(
    (a, b) =>
      b.score - a.score || compareNames(entityKey(a.entity), entityKey(b.entity)) || compareNames(a.symptom, b.symptom),
  );
  for (const { entity, symptom, metric } of strongest) {
    const kind = LEDGER_OF[symptom];
    if (kind === undefined || kind === 'traffic') continue;
    if (entity.kind === 'service' && !isFlooded(entity.name))
      kinds.set(entity.name, (kinds.get(entity.name) ?? new Set()).add(kind));
    const caller = metric === NETWORK_TIME ? entity.from : undefined;
    if (caller !== undefined && !isFlooded(caller) && hasChanged(system, caller, 'latency'))
      ways.set(caller, (ways.get(caller) ?? new Set()).add(entityKey(entity)));
  }
  const own = [...kinds].map(([name, of]): Changed => ({ symptom: { entity: service(name), kinds: [...of] } }));
  const late = [...ways].flatMap(([name, of]): Changed[] =>
    kinds.get(name)?.has('latency') === true
      ? []
      : [{ symptom: { entity: service(name), kinds: ['latency'] }, ways: of }],
  );
  return [...own, ...late].slice(0, MAX_LEDGERS);
}

/** The walk with what is new in it; undefined when what is named already accounts for its change, or nothing new does. */
function newIn(
  walk: Walk,
  named: readonly Suspect[],
  isOne: (a: Suspect, b: Suspect) => boolean,
  canBeNew: (suspect: Suspect) => boolean,
): Walk | undefined {
  if (walk.abstained) return undefined;
  const isKnown = (suspect: Suspect): boolean => named.some((one) => isOne(one, suspect));
  const known = walk.suspects.filter(isKnown);
  const fresh = walk.suspects.filter((suspect) => !isKnown(suspect) && canBeNew(suspect));
  const open = walk.ledgers.filter(({ kind }) => {
    const most = fresh.some(({ shares }) => (shares[kind] ?? 0) >= MOST_OF_IT);
    return most && known.reduce((sum, { shares }) => sum + (shares[kind] ?? 0), 0) < MOST_OF_IT;
  });
  if (open.length === 0) return undefined;
  const kinds = new Set(open.map(({ kind }) => kind));
  const suspects = fresh.filter(({ shares }) => [...kinds].some((kind) => (shares[kind] ?? 0) >= NOTABLE));
  return { ...walk, ledgers: open, suspects };
}

/** Now / before; whoever sends a service more is above it. */
function requestRatio(system: System, name: string): number {
  const flows = inbound(system.service(name));
  return flows === undefined ? Number.NaN : flows.current.count / flows.baseline.count;
}

/** Whether two suspects point at one thing: a service, an end of a way, a machine and what is on it. */
function isSame(comparison: Comparison, a: Suspect, b: Suspect): boolean {
  if (entityKey(a.entity) === entityKey(b.entity)) return true;
  if (a.entity.kind === 'machine') return machinesOf(comparison, b).has(a.entity.name);
  if (b.entity.kind === 'machine') return machinesOf(comparison, a).has(b.entity.name);
  const ofB = servicesOf(b);
  return servicesOf(a).some((name) => ofB.includes(name));
}

/** What is lost or late on a machine's ways is late for whoever is at their other ends: all callers of one may sit there. */
function isOnWays(units: Units, { entity, term }: Suspect, other: Suspect): boolean {
  if (entity.kind !== 'machine' || term !== 'network' || measureOf(other.term) !== 'network') return false;
  return (sharesOf(grownParts(other, units)).get(entity.name) ?? 0) >= NEARLY_WHOLE;
}

/** What a suspect stands for; of a way both ends. */
function servicesOf({ entity, service: of }: Suspect): string[] {
  return entity.kind === 'edge' ? [entity.from ?? '', entity.to ?? ''] : [of ?? entity.name];
}

/** Where its instances run: those it was narrowed to, or all of its services. */
function machinesOf({ topology: { partOf, runsOn } }: Comparison, suspect: Suspect): Set<string> {
  const { entity, instances = [] } = suspect;
  const narrowed = entity.kind === 'instance' ? [entity.name] : entity.kind === 'edge' ? [] : instances;
  const services = servicesOf(suspect);
  const all = partOf.flatMap(([instance, of]) => (services.includes(of) ? [instance] : []));
  const here = new Set(narrowed.length > 0 ? narrowed : all);
  return new Set(runsOn.flatMap(([instance, machine]) => (here.has(instance) ? [machine] : [])));
}
