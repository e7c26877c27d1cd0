/** The way a change took: from a suspect up to the symptom's service, along calls that carry it. */
import type { Entity } from '../model/entity.ts';
import { compareNames, service as serviceEntity } from '../model/entity.ts';
import type { Ledger } from '../model/walk.ts';
import type { CallEdge, Flow, System } from './system.ts';
import { inbound } from './system.ts';

/** A shorter way is taken that carries this much of what the best one does at its narrowest. */
const ENOUGH = 0.5;

/** A caller and what its calls carry of the change; per callee those that carry most first, then by name. */
type Ways = ReadonlyMap<string, readonly { readonly caller: string; readonly width: number }[]>;

/**
 * Shortest chain of callers from the suspect up to the ledger's entry of which every call carries at least half of what the
 * way that carries most does (at its narrowest call); of all calls, where none carries any. Suspect first.
 * @param service  what the suspect is part of: an instance is called as its service is
 * Cost: O(calls above the suspect · log of their number).
 */
export function pathTo(system: System, ledger: Ledger, suspect: Entity, service: string | undefined): Entity[] {
  const { entry } = ledger;
  const start = suspect.kind === 'edge' ? (suspect.from ?? '') : (service ?? suspect.name);
  const ways = waysUp(system, start, carriedOf(system, ledger));
  const chain = shortest(ways, start, entry, ENOUGH * widest(ways, start, entry)) ?? [start, entry];
  if (suspect.kind === 'edge') return [suspect, ...chain.map(serviceEntity)];
  const isEntry = chain.length === 1;
  return [
    suspect,
    ...(isEntry && suspect.kind === 'service' ? [] : isEntry ? chain : chain.slice(1)).map(serviceEntity),
  ];
}

/** What the calls of an edge carry of the ledger's change: added time or errors for each request of its entry. */
function carriedOf(system: System, { kind, entry, change }: Ledger): (edge: CallEdge) => number {
  const requests = inbound(system.service(entry));
  const amount = ({ count, errors, durationUs }: Flow, of: number): number =>
    kind === 'latency' ? durationUs / of : kind === 'errors' ? errors / of : count;
  return ({ client, server }) => {
    const side = client ?? server;
    if (side === undefined || requests === undefined) return 0;
    const more = amount(side.current, requests.current.count) - amount(side.baseline, requests.baseline.count);
    return Math.max(0, change < 0 ? -more : more) || 0;
  };
}

function waysUp(system: System, start: string, carried: (edge: CallEdge) => number): Ways {
  const ways = new Map<string, { readonly caller: string; readonly width: number }[]>();
  const queue = [start];
  for (const name of queue) {
    if (ways.has(name)) continue;
    const callers = system.callers(name).map((edge) => ({ caller: edge.from, width: carried(edge) }));
    ways.set(
      name,
      callers.sort((a, b) => b.width - a.width || compareNames(a.caller, b.caller)),
    );
    queue.push(...callers.map(({ caller }) => caller));
  }
  return ways;
}

/** The most that any way carries at its narrowest call, by bisection; 0: there is none, or none carries anything. */
function widest(ways: Ways, start: string, entry: string): number {
  const widths = new Set([...ways.values()].flatMap((callers) => callers.map(({ width }) => width)));
  const sorted = [...widths].filter((width) => width > 0).sort((a, b) => a - b);
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (shortest(ways, start, entry, sorted[middle]!) === undefined) high = middle;
    else low = middle + 1;
  }
  return sorted[low - 1] ?? 0;
}

/** By fewest calls that carry `least`; undefined: there is no such way. */
function shortest(ways: Ways, start: string, entry: string, least: number): string[] | undefined {
  const above = new Map<string, string>();
  const queue = [start];
  for (const name of queue) {
    if (name === entry) break;
    for (const { caller, width } of ways.get(name) ?? []) {
      if (width < least) break;
      if (caller === start || above.has(caller)) continue;
      above.set(caller, name);
      queue.push(caller);
    }
  }
  if (start !== entry && !above.has(entry)) return undefined;
  const chain = [entry];
  for (let at = entry; at !== start; ) {
    at = above.get(at)!;
    chain.unshift(at);
  }
  return chain;
}
