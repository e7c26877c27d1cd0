/**
 * Alerts without times or sizes, as other systems hand them over: which node do they point at? Counting them points at
 * whoever alerts most at any trouble. What an alert says is how rarely it fires: its surprise is the logarithm of past
 * incidents per incident it fired in (inverse document frequency, Spärck Jones 1972), and a node's sum is held against
 * what it shows on other days.
 */
import { compareNames } from '../model/entity.ts';
import type { RankedNode } from './fallback.ts';
import type { Family } from './families.ts';

export interface Alert {
  readonly node: string;
  /** Same node and name: the same alert. */
  readonly name: string;
  readonly family: Family;
}

/** How strongly a node's usual noise counts against it; 0: not at all, 1: fully. */
const USUAL_EXPONENT = 0.6;

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
    const others = this.#past.length - (present ? 1 : 0);
    const own = new Set(present ? alerts.map(keyOf) : []);
    const surprise = (alert: Alert): number => {
      const key = keyOf(alert);
      return Math.log((others + 2) / ((this.#fired.get(key) ?? 0) - (own.has(key) ? 1 : 0) + 1));
    };
    const now = sums(alerts, surprise);
    const usual = new Map<string, number>();
    for (const past of this.#past) {
      if (present && past === alerts) continue;
      for (const [node, { total }] of sums(past, surprise)) usual.set(node, (usual.get(node) ?? 0) + total / others);
    }
    return [...now]
      .map(([node, { total, families }]) => ({
        node,
        kind: 'instance' as const,
        family: [...families].sort((a, b) => b[1] - a[1] || compareNames(a[0], b[0]))[0]![0],
        score: total / (1 + (usual.get(node) ?? 0)) ** USUAL_EXPONENT,
      }))
      .sort((a, b) => b.score - a.score || compareNames(a.node, b.node));
  }
}

function keyOf({ node, name }: Alert): string {
  return `${node}\0${name}`;
}

/** Sum of surprises per node; an alert that fires twice is one. */
function sums(
  alerts: readonly Alert[],
  surprise: (alert: Alert) => number,
): Map<string, { total: number; readonly families: Map<Family, number> }> {
  const nodes = new Map<string, { total: number; families: Map<Family, number> }>();
  const seen = new Set<string>();
  for (const alert of alerts) {
    if (seen.has(keyOf(alert))) continue;
    seen.add(keyOf(alert));
    const entry = nodes.get(alert.node) ?? { total: 0, families: new Map<Family, number>() };
    const value = surprise(alert);
    entry.total += value;
    entry.families.set(alert.family, (entry.families.get(alert.family) ?? 0) + value);
    nodes.set(alert.node, entry);
  }
  return nodes;
}
