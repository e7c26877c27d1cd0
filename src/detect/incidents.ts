/** The life of incidents: opened by symptoms users feel, joined by everything connected, resolved when quiet. */
import { createHash } from 'node:crypto';
import { compareNames, entityKey } from '../model/entity.ts';
import type { Anomaly, Bout, Incident, IncidentEvent, IncidentEventKind } from '../model/incident.ts';
import { grownSinceMs } from '../model/onset.ts';
import type { DetectConfig } from './config.ts';
import type { CallGraph } from './connect.ts';
import { BLOCK_WINDOWS } from './drift-pool.ts';

/** An anomaly now, and whether it may open an incident. */
export interface Active {
  readonly anomaly: Anomaly;
  readonly opens: boolean;
}

interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

interface Case {
  id: string;
  state: 'open' | 'resolved';
  startMs: number;
  openedMs: number;
  /** The last bout, if it was resolved and came back. */
  again?: Bout;
  /** Bouts before, up to when each was resolved. */
  over: readonly Span[];
  updatedMs: number;
  resolvedMs: number | null;
  /** Windows without a symptom. */
  quiet: number;
  /** Anomalies that are or were part of it since it was opened last, in their last state. */
  readonly members: Map<string, Active>;
}

export interface IncidentsState {
  readonly cases: readonly (Omit<Case, 'members'> & {
    readonly members: readonly (readonly [string, Active])[];
  })[];
}

/** Resolved incidents are remembered (for baselines) up to this many. */
const REMEMBERED = 200;
/** Two incidents found connected within this many windows of the younger one's opening become one. */
const MERGE_WINDOWS = 6;

export class Incidents {
  readonly #environment: string;
  readonly #config: DetectConfig;
  readonly #graph: CallGraph;
  /** Oldest first. */
  #cases: Case[] = [];

  constructor(environment: string, config: DetectConfig, graph: CallGraph) {
    this.#environment = environment;
    this.#config = config;
    this.#graph = graph;
  }

  /** @param active every anomaly of this window, sorted */
  step(active: readonly Active[], atMs: number, windowMs: number): IncidentEvent[] {
    const events = new Map<Case, IncidentEventKind>();
    const now = new Map(active.map((entry) => [keyOf(entry.anomaly), entry]));
    const fresh: Active[] = [];
    for (const [key, entry] of now) {
      const owner = this.#cases.find((c) => c.state === 'open' && c.members.has(key));
      if (owner === undefined) fresh.push(entry);
      else owner.members.set(key, continued(owner.members.get(key)!, entry));
    }
    if (fresh.length > 0) this.#place(fresh, atMs, windowMs, events);
    for (const found of this.#cases) if (found.state === 'open') this.#rest(found, now, atMs, events);
    this.#forget();
    return [...events].map(([found, kind]) => ({ kind, incident: this.#incident(found), atMs }));
  }

  /** The oldest resolved ones, though older ones may still be open. */
  #forget(): void {
    let over = this.#cases.length - REMEMBERED;
    if (over > 0) this.#cases = this.#cases.filter(({ state }) => state === 'open' || over-- <= 0);
  }

  /** Anomalies nobody owns yet: to the incident they are connected with, else to a new one. */
  #place(fresh: readonly Active[], atMs: number, windowMs: number, events: Map<Case, IncidentEventKind>): void {
    const reopenMs = this.#config.reopenWindows * windowMs;
    const alive = this.#cases.filter((c) => c.state === 'open' || atMs - c.resolvedMs! <= reopenMs);
    const members = alive.flatMap((owner) => [...owner.members.values()].map(({ anomaly }) => ({ anomaly, owner })));
    const groups = this.#graph.group([...members, ...fresh].map(({ anomaly }) => anomaly));
    const owners = new Map<number, Case[]>();
    members.forEach(({ owner }, i) => {
      const list = owners.get(groups[i]!) ?? [];
      if (!list.includes(owner)) list.push(owner);
      owners.set(groups[i]!, list);
    });
    const newcomers = new Map<number, Active[]>();
    fresh.forEach((entry, k) => {
      const group = groups[members.length + k]!;
      newcomers.set(group, [...(newcomers.get(group) ?? []), entry]);
    });
    for (const [group, entries] of newcomers) {
      const near = owners.get(group) ?? [];
      const open = near.filter((c) => c.state === 'open').sort(byAge);
      const oldest = open[0];
      if (oldest !== undefined) {
        this.#absorb(oldest, open.slice(1), atMs, windowMs, events);
        this.#join(oldest, entries, atMs, windowMs, events);
        continue;
      }
      const symptoms = entries.filter((entry) => entry.opens);
      if (symptoms.length === 0) continue;
      const flapping = near
        .filter((c) => symptoms.some(({ anomaly }) => c.members.has(keyOf(anomaly))))
        .sort(byAge)
        .at(-1);
      if (flapping === undefined) {
        events.set(this.#open(entries, symptoms, atMs, windowMs), 'opened');
        continue;
      }
      this.#reopen(flapping, entries, symptoms, atMs);
      events.set(flapping, 'updated');
    }
  }

  #open(entries: readonly Active[], symptoms: readonly Active[], atMs: number, windowMs: number): Case {
    const first = symptoms.map(({ anomaly }) => anomaly).reduce((a, b) => (earlier(b, a) ? b : a));
    const id = createHash('sha256')
      .update(`${this.#environment}\0${entityKey(first.entity)}\0${first.onsetMs}\0${windowMs}`)
      .digest('hex');
    const opened: Case = {
      id: `inc-${id.slice(0, 12)}`,
      state: 'open',
      startMs: first.onsetMs,
      openedMs: atMs,
      over: [],
      updatedMs: atMs,
      resolvedMs: null,
      quiet: 0,
      members: new Map(entries.map((entry) => [keyOf(entry.anomaly), entry])),
    };
    this.#cases.push(opened);
    return opened;
  }

  /** What it was before has a report; who is in trouble now, and why, is looked at anew. */
  #reopen(found: Case, entries: readonly Active[], symptoms: readonly Active[], atMs: number): void {
    found.over = [...found.over, { fromMs: boutOf(found).startMs, toMs: found.resolvedMs! }].slice(-REMEMBERED);
    const onsets = symptoms.map(({ anomaly }) => Math.max(anomaly.onsetMs, endBefore(found)));
    found.again = { startMs: Math.min(...onsets), openedMs: atMs };
    found.state = 'open';
    found.updatedMs = atMs;
    found.resolvedMs = null;
    found.quiet = 0;
    found.members.clear();
    for (const entry of entries) found.members.set(keyOf(entry.anomaly), entry);
  }

  #join(
    owner: Case,
    entries: readonly Active[],
    atMs: number,
    windowMs: number,
    events: Map<Case, IncidentEventKind>,
  ): void {
    for (const entry of entries) {
      const known = owner.members.get(keyOf(entry.anomaly));
      owner.members.set(keyOf(entry.anomaly), known === undefined ? entry : continued(known, entry));
      const { onsetMs, grownMs } = entry.anomaly;
      // When growth began is known to a block: nearer than that it came with the rest.
      const resolutionMs = grownMs === undefined ? 0 : BLOCK_WINDOWS * windowMs;
      const { startMs, openedMs } = boutOf(owner);
      if (!entry.opens || onsetMs >= startMs - resolutionMs || onsetMs < endBefore(owner)) continue;
      if (owner.again === undefined) owner.startMs = onsetMs;
      else owner.again = { startMs: onsetMs, openedMs };
    }
    owner.updatedMs = atMs;
    if (!events.has(owner)) events.set(owner, 'updated');
  }

  /** Two incidents that turn out to be one soon after the younger opened: the older takes its anomalies. */
  #absorb(
    oldest: Case,
    younger: readonly Case[],
    atMs: number,
    windowMs: number,
    events: Map<Case, IncidentEventKind>,
  ): void {
    for (const other of younger) {
      if (atMs - boutOf(other).openedMs > Math.max(MERGE_WINDOWS * windowMs, growthMs(other))) continue;
      for (const [key, member] of other.members) if (!oldest.members.has(key)) oldest.members.set(key, member);
      other.members.clear();
      this.#resolve(other, atMs, events);
    }
  }

  #rest(open: Case, now: ReadonlyMap<string, Active>, atMs: number, events: Map<Case, IncidentEventKind>): void {
    const symptomatic = [...open.members].some(([key, member]) => member.opens && now.has(key));
    open.quiet = symptomatic ? 0 : open.quiet + 1;
    if (open.quiet >= this.#config.resolveWindows) this.#resolve(open, atMs, events);
  }

  #resolve(found: Case, atMs: number, events: Map<Case, IncidentEventKind>): void {
    found.state = 'resolved';
    found.resolvedMs = atMs;
    found.updatedMs = atMs;
    events.set(found, 'resolved');
  }

  #incident(found: Case): Incident {
    const members = [...found.members.values()].sort(
      (a, b) =>
        Number(b.opens) - Number(a.opens) ||
        Number(b.anomaly.entity.kind === 'service') - Number(a.anomaly.entity.kind === 'service') ||
        b.anomaly.score - a.anomaly.score ||
        compareNames(keyOf(a.anomaly), keyOf(b.anomaly)),
    );
    const lastSymptomMs = lastSymptom(members, boutOf(found).startMs);
    return {
      id: found.id,
      environment: this.#environment,
      state: found.state,
      startMs: found.startMs,
      openedMs: found.openedMs,
      ...(found.again === undefined ? {} : { again: found.again }),
      updatedMs: found.updatedMs,
      lastSymptomMs,
      ...(found.resolvedMs === null ? {} : { resolvedMs: found.resolvedMs }),
      anomalies: members
        .map((member) => ofBout(found, member.anomaly))
        .filter(({ onsetMs }) => found.state === 'open' || onsetMs <= lastSymptomMs),
    };
  }

  list(): readonly Incident[] {
    return this.#cases.map((found) => this.#incident(found));
  }

  /**
   * Spans of trouble. While it grew it was next to healthy for others.
   * @param exceptId  of this one without the bout that is looked at
   */
  spans(exceptId?: string): Span[] {
    return this.#cases.flatMap((found) => {
      if (found.id === exceptId) return found.over;
      const { startMs } = boutOf(found);
      const grownMs = grownSinceMs([...found.members.values()].map(({ anomaly }) => anomaly)) ?? startMs;
      return [
        ...found.over,
        { fromMs: Math.max(startMs, grownMs), toMs: found.resolvedMs ?? Number.POSITIVE_INFINITY },
      ];
    });
  }

  save(): IncidentsState {
    return { cases: this.#cases.map((found) => ({ ...found, members: [...found.members] })) };
  }

  restore(state: IncidentsState): void {
    this.#cases = state.cases.map((found) => ({ ...found, members: new Map(found.members) }));
  }
}

/** End of the bout before the last; -Infinity: there was none. */
function endBefore({ over }: Case): number {
  return over.at(-1)?.toMs ?? Number.NEGATIVE_INFINITY;
}

/** What seems to have begun in a bout that was over has begun again with this one. */
function ofBout(found: Case, anomaly: Anomaly): Anomaly {
  return anomaly.onsetMs < endBefore(found) ? { ...anomaly, onsetMs: boutOf(found).startMs } : anomaly;
}

function boutOf(found: Case): Bout {
  return found.again ?? found;
}

/** How long it took to grow: what connects it with others takes as long. 0: it came at once. */
function growthMs({ members }: Case): number {
  const grown = [...members.values()].map(({ anomaly: { grownMs, onsetMs } }) => (grownMs ?? onsetMs) - onsetMs);
  return Math.max(0, ...grown);
}

/** Tails recover last: while a queue empties the 99th percentile is high, though hardly anybody waits any more. */
function lastSymptom(members: readonly Active[], startMs: number): number {
  const symptoms = members.filter(({ opens }) => opens);
  const means = symptoms.filter(({ anomaly }) => anomaly.metric !== 'duration_p99_us');
  return (means.length > 0 ? means : symptoms).reduce((last, { anomaly }) => Math.max(last, anomaly.lastMs), startMs);
}

/** What ended and came back within an incident is one anomaly: it began when it first did. */
function continued(before: Active, now: Active): Active {
  const { onsetMs, onsetBlurMs } = before.anomaly;
  if (onsetMs >= now.anomaly.onsetMs) return now;
  const { onsetBlurMs: _, ...anomaly } = now.anomaly;
  return { ...now, anomaly: { ...anomaly, onsetMs, ...(onsetBlurMs === undefined ? {} : { onsetBlurMs }) } };
}

export function keyOf(anomaly: Anomaly): string {
  return `${entityKey(anomaly.entity)}\0${anomaly.metric}\0${anomaly.symptom}`;
}

function byAge(a: Case, b: Case): number {
  return a.openedMs - b.openedMs || compareNames(a.id, b.id);
}

/** Which symptom names the incident: the earlier, a service before an edge, then by name. */
function earlier(a: Anomaly, b: Anomaly): boolean {
  if (a.onsetMs !== b.onsetMs) return a.onsetMs < b.onsetMs;
  if (a.entity.kind !== b.entity.kind) return a.entity.kind === 'service';
  return compareNames(keyOf(a), keyOf(b)) < 0;
}
