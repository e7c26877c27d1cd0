/** What every instance did itself, and what its calls spent between machines, before and during an incident. */
import type { CallLeaf, CallSums, Comparison } from '../model/comparison.ts';
import { isNewcomer } from '../model/newcomer.ts';

/**
 * Own time and time on the way in µs, or errors returned less errors received and errors on the way; and the requests or
 * calls they belong to.
 */
export interface Amount {
  readonly sum: number;
  readonly count: number;
}

export interface End {
  readonly instance: string;
  readonly service: string;
  readonly machine: string;
}

/** The work of one instance (one end), or the way of calls between instances on two machines (caller, callee). */
export interface Unit {
  readonly ends: readonly End[];
  readonly before: Amount;
  readonly now: Amount;
}

export type Measure = 'self' | 'network' | 'originated';
export type Units = Readonly<Record<Measure, readonly Unit[]>>;

type When = 'baseline' | 'current';

interface Sides {
  /** Where they are now; of those that are called no more, where they were. */
  ends: readonly End[];
  isThere: boolean;
  readonly client: CallLeaf[];
  readonly server: CallLeaf[];
}

/** What a unit has more than its requests or calls would have cost before. */
export function growthOf({ before, now }: Unit): number {
  return before.count > 0 ? now.sum - (before.sum / before.count) * now.count : now.sum;
}

/** Units that were not there before are held against what those of the same services were then. */
function withStandIns(units: readonly Unit[], comparison: Comparison): readonly Unit[] {
  const services = ({ ends }: Unit): string => ends.map(({ service }) => service).join('\0');
  const all = new Map<string, { readonly before: Amount; readonly now: number }>();
  for (const unit of units) {
    const { before, now } = all.get(services(unit)) ?? { before: { sum: 0, count: 0 }, now: 0 };
    const { sum, count } = unit.before;
    all.set(services(unit), {
      before: { sum: before.sum + sum, count: before.count + count },
      now: now + unit.now.count,
    });
  }
  return units.map((unit) => {
    const { before, now } = all.get(services(unit))!;
    const counts = { before: unit.before.count, now: unit.now.count };
    return isNewcomer(counts, { before: before.count, now }, comparison) ? { ...unit, before } : unit;
  });
}

/** Of every instance whose machine is known, and of every pair of them on two machines. Cost: O(leaves). */
export function observe(comparison: Comparison): Units {
  const on = new Map(comparison.topology.runsOn);
  const endOf = (instance: string | undefined, service: string, machine: string | undefined): End | undefined => {
    const host = machine ?? on.get(instance ?? '');
    return instance === undefined || host === undefined ? undefined : { instance, service, machine: host };
  };
  // Of an instance: its callers' calls on the server's side, its own calls on the client's.
  const instances = new Map<string, Sides>();
  const pairs = new Map<string, Sides>();
  const add = (map: Map<string, Sides>, ends: readonly End[], leaf: CallLeaf): void => {
    const key = ends.map(({ instance }) => instance).join('\0');
    const isThere = leaf.current.count > 0;
    const sides = map.get(key) ?? { ends, isThere, client: [], server: [] };
    if (!map.has(key)) map.set(key, sides);
    if (isThere && !sides.isThere) [sides.ends, sides.isThere] = [ends, true];
    sides[leaf.side].push(leaf);
  };
  for (const leaf of comparison.calls) {
    const callee = endOf(leaf.calleeInstance, leaf.callee, leaf.calleeMachine);
    const caller = endOf(leaf.callerInstance, leaf.caller, leaf.callerMachine);
    const own = leaf.side === 'server' ? callee : caller;
    if (own !== undefined) add(instances, [own], leaf);
    if (callee === undefined || caller === undefined || callee.machine === caller.machine) continue;
    add(pairs, [caller, callee], leaf);
  }
  const work = (read: (sums: CallSums) => number): Unit[] =>
    [...instances.values()]
      .filter(({ server }) => server.length > 0)
      .map(({ ends, client, server }) => {
        const amount = (when: When): Amount => ({
          sum: total(server, when, read) - total(client, when, read),
          count: total(server, when, ({ count }) => count),
        });
        return { ends, before: amount('baseline'), now: amount('current') };
      });
  return {
    self: withStandIns(
      work(({ durationSumUs }) => durationSumUs),
      comparison,
    ),
    originated: [
      ...withStandIns(
        work(({ errors }) => errors),
        comparison,
      ),
      ...withStandIns(between(pairs, failedOnTheWay), comparison),
    ],
    network: withStandIns(between(pairs, onTheWay), comparison),
  };
}

function between(pairs: ReadonlyMap<string, Sides>, read: (sides: Sides, when: When) => Amount): Unit[] {
  return [...pairs.values()]
    .filter(({ client, server }) => client.length > 0 && server.length > 0)
    .map((sides) => ({ ends: sides.ends, before: read(sides, 'baseline'), now: read(sides, 'current') }));
}

function total(leaves: readonly CallLeaf[], when: When, read: (sums: CallSums) => number): number {
  return leaves.reduce((all, leaf) => (leaf[when].count > 0 ? all + read(leaf[when]) : all), 0);
}

/** The time of a pair's calls that neither the callee nor anything below it spent. */
function onTheWay({ client, server }: Sides, when: When): Amount {
  const calls = total(client, when, ({ count }) => count);
  const answered = total(server, when, ({ count }) => count);
  if (calls <= 0 || answered <= 0) return { sum: 0, count: 0 };
  const mean = total(client, when, ({ durationSumUs }) => durationSumUs) / calls;
  const inside = total(server, when, ({ durationSumUs }) => durationSumUs) / answered;
  return { sum: (mean - inside) * calls, count: calls };
}

/** Calls of a pair that failed for the caller alone: nothing came back, whatever the callee answered. */
function failedOnTheWay({ client, server }: Sides, when: When): Amount {
  const failed = total(client, when, ({ errors }) => errors) - total(server, when, ({ errors }) => errors);
  return { sum: Math.max(0, failed), count: total(client, when, ({ count }) => count) };
}
