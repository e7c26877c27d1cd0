/**
 * Alerts without sizes, as other systems hand them over: which node do they point at? Counting them points at whoever
 * alerts most at any trouble. What an alert says is how rarely it fires: its surprise is the logarithm of past incidents
 * per incident it fired in (inverse document frequency, Spärck Jones 1972). Alerts of one kind on one node (its CPU, its
 * latency) are one observation, whose own surprise is how rarely past incidents showed as much of it there; the few most
 * surprising observations of a node decide. An alert that the node's siblings share says less of the node, and so does one
 * that came late.
 */
import { compareNames } from '../model/entity.ts';
import type { RankedNode } from './fallback.ts';
import type { Family } from './families.ts';

export interface Alert {
  readonly node: string;
  /** Nodes of one service are siblings. */
  readonly service?: string;
  /** Same node and name: the same alert. */
  readonly name: string;
  readonly family: Family;
  /** Alerts of a node in one group are one observation; by default the family. */
  readonly group?: string;
  /** When it came among the incident's, 0 first to 1 last; absent: unknown. */
  readonly order?: number;
}

/** With fewer incidents as history, ranks among them say nothing: surprises are summed. */
const MIN_HISTORY = 10;
/** Observations of a node that count. Three to six: .77, .77, .76, .74 of the development cases. */
const MOST_TELLING = 4;
/** What an alert says that a sibling shows as well. 0 .77, 0.2 .77, 1 (no difference) .74. */
const SHARED_BY_SIBLING = 0.5;
/** The last alert of an incident counts e^-1 of the first. 0 (no difference) .73, 0.5 .77. */
const LATENESS = 1;
/** How strongly a node's usual noise counts against it; 0: not at all (.75), 1: fully. 0.15 .75, 0.4 .77, 0.6 .74. */
const USUAL_EXPONENT = 0.3;

interface Observation {
  readonly node: string;
  readonly family: Family;
  /** Sum of the surprises of its alerts. */
  value: number;
}

type Observations = ReadonlyMap<string, Observation>;

/** What past incidents showed. Without any, every alert is as rare as every other and the ranking is a count. */
export class AlertHistory {
  readonly #fired = new Map<string, number>();
  readonly #past: (readonly Alert[])[] = [];

  add(alerts: readonly Alert[]): void {
    this.#past.push(alerts);
    for (const key of new Set(alerts.map(keyOf))) this.#fired.set(key, (this.#fired.get(key) ?? 0) + 1);
  }

  /** @param present an incident that is itself in the history and must not speak for itself. Cost: O(alerts of the past). */
  rank(alerts: readonly Alert[], present = false): RankedNode[] {
    const others = this.#past.filter((past) => !present || past !== alerts);
    const own = new Set(present ? alerts.map(keyOf) : []);
    const surprise = (alert: Alert): number => {
      const key = keyOf(alert);
      return Math.log((others.length + 2) / ((this.#fired.get(key) ?? 0) - (own.has(key) ? 1 : 0) + 1));
    };
    const now = observe(alerts, surprise);
    const past = others.map((incident) => observe(incident, surprise));
    const byNode = new Map<string, { readonly surprise: number; readonly family: Family }[]>();
    for (const [key, { node, family, value }] of now) {
      const as = past.reduce((count, earlier) => count + ((earlier.get(key)?.value ?? 0) >= value ? 1 : 0), 0);
      const tail = past.length < MIN_HISTORY ? value : Math.log((past.length + 2) / (as + 1));
      const list = byNode.get(node);
      if (list === undefined) byNode.set(node, [{ surprise: tail, family }]);
      else list.push({ surprise: tail, family });
    }
    const usual = past.length < MIN_HISTORY ? new Map<string, number>() : usualOf(past);
    return [...byNode]
      .map(([node, found]) => {
        found.sort((a, b) => b.surprise - a.surprise || compareNames(a.family, b.family));
        const counted = past.length < MIN_HISTORY ? found : found.slice(0, MOST_TELLING);
        const total = counted.reduce((sum, entry) => sum + entry.surprise, 0);
        return {
          node,
          kind: 'instance' as const,
          family: found[0]!.family,
          score: total / (1 + (usual.get(node) ?? 0)) ** USUAL_EXPONENT,
        };
      })
      .sort((a, b) => b.score - a.score || compareNames(a.node, b.node));
  }
}

function keyOf({ node, name }: Alert): string {
  return `${node}\0${name}`;
}

/** Sums of surprises by node and group; an alert that fires twice is one. */
function observe(alerts: readonly Alert[], surprise: (alert: Alert) => number): Observations {
  const firing = new Map<string, Set<string>>();
  for (const { node, service, name } of alerts) {
    const key = `${service}\0${name}`;
    const nodes = firing.get(key);
    if (nodes === undefined) firing.set(key, new Set([node]));
    else nodes.add(node);
  }
  const found = new Map<string, Observation>();
  const seen = new Set<string>();
  for (const alert of alerts) {
    if (seen.has(keyOf(alert))) continue;
    seen.add(keyOf(alert));
    const { node, service, name, family, group = family, order = 0 } = alert;
    const isShared = service !== undefined && firing.get(`${service}\0${name}`)!.size > 1;
    const value = surprise(alert) * (isShared ? SHARED_BY_SIBLING : 1) * Math.exp(-LATENESS * order);
    const key = `${node}\0${group}`;
    const entry = found.get(key);
    if (entry === undefined) found.set(key, { node, family, value });
    else entry.value += value;
  }
  return found;
}

/** Mean over past incidents of the sum of a node's observations, each as surprising as its rank among them. */
function usualOf(past: readonly Observations[]): ReadonlyMap<string, number> {
  const values = new Map<string, { node: string; values: number[] }>();
  for (const incident of past) {
    for (const [key, { node, value }] of incident) {
      if (!(value > 0)) continue;
      const entry = values.get(key);
      if (entry === undefined) values.set(key, { node, values: [value] });
      else entry.values.push(value);
    }
  }
  const usual = new Map<string, number>();
  for (const { node, values: shown } of values.values()) {
    // As many as showed it: their ranks are 1, 2, …, whatever the values.
    const sum = shown.reduce((all, _, rank) => all + Math.log((past.length + 2) / (rank + 2)), 0);
    usual.set(node, (usual.get(node) ?? 0) + sum / past.length);
  }
  return usual;
}
