/** What every instance did itself, and what its calls spent between machines, before and during an incident. */
import type { CallLeaf, CallSums, Comparison } from '../model/comparison.ts';

export type Measure = 'self' | 'network' | 'originated';

export interface Span {
  requests: number;
  /** Own time, µs. */
  self: number;
  /** Time on the way to or from other machines, µs, and calls it was spent on. */
  network: number;
  crossings: number;
  /** Errors returned less errors received. */
  originated: number;
}

export interface InstanceWork {
  readonly service: string;
  readonly machine: string;
  readonly before: Span;
  readonly now: Span;
}

/** Calls between two machines, of one service to another. */
export interface Way {
  readonly caller: string;
  readonly callee: string;
  readonly machines: readonly [string, string];
  /** Time on the way above what the calls would have taken before, µs. */
  readonly growth: number;
}

export interface Observed {
  readonly instances: ReadonlyMap<string, InstanceWork>;
  readonly ways: readonly Way[];
}

/** What an instance has more than its requests would have cost before. */
export function growthOf({ before, now }: InstanceWork, measure: Measure): number {
  const [was, is] = measure === 'network' ? [before.crossings, now.crossings] : [before.requests, now.requests];
  return was > 0 ? now[measure] - (before[measure] / was) * is : now[measure];
}

/** Every instance whose machine is known, with what it did itself, and the ways between machines. Cost: O(leaves). */
export function observe(comparison: Comparison): Observed {
  const on = new Map(comparison.topology.runsOn);
  const instances = new Map<string, InstanceWork>();
  const of = (name: string | undefined, service: string, machine: string | undefined): InstanceWork | undefined => {
    const host = machine ?? on.get(name ?? '');
    if (name === undefined || host === undefined) return undefined;
    let found = instances.get(name);
    if (found === undefined) {
      found = { service, machine: host, before: emptySpan(), now: emptySpan() };
      instances.set(name, found);
    }
    return found;
  };
  const pairs = new Map<string, { client?: CallLeaf[]; server?: CallLeaf[] }>();
  for (const leaf of comparison.calls) {
    const callee = of(leaf.calleeInstance, leaf.callee, leaf.calleeMachine);
    const caller = of(leaf.callerInstance, leaf.caller, leaf.callerMachine);
    if (leaf.side === 'server' && callee !== undefined) {
      served(callee.before, leaf.baseline);
      served(callee.now, leaf.current);
    }
    if (leaf.side === 'client' && caller !== undefined) {
      waited(caller.before, leaf.baseline);
      waited(caller.now, leaf.current);
    }
    if (callee === undefined || caller === undefined || callee.machine === caller.machine) continue;
    const key = `${leaf.callerInstance}\0${leaf.calleeInstance}`;
    const way = pairs.get(key) ?? {};
    if (!pairs.has(key)) pairs.set(key, way);
    const side = way[leaf.side];
    if (side === undefined) way[leaf.side] = [leaf];
    else side.push(leaf);
  }
  const ways: Way[] = [];
  for (const [key, { client, server }] of pairs) {
    if (client === undefined || server === undefined) continue;
    const [callerName, calleeName] = key.split('\0') as [string, string];
    const [from, to] = [instances.get(callerName)!, instances.get(calleeName)!];
    const before = onTheWay(client, server, 'baseline');
    const now = onTheWay(client, server, 'current');
    for (const { before: past, now: present } of [from, to]) {
      past.network += before.us;
      past.crossings += before.calls;
      present.network += now.us;
      present.crossings += now.calls;
    }
    const usual = before.calls > 0 ? (before.us / before.calls) * now.calls : 0;
    ways.push({
      caller: from.service,
      callee: to.service,
      machines: [from.machine, to.machine],
      growth: now.us - usual,
    });
  }
  return { instances, ways };
}

function served(span: Span, sums: CallSums): void {
  if (!(sums.count > 0)) return;
  span.requests += sums.count;
  span.self += sums.durationSumUs;
  span.originated += sums.errors;
}

function waited(span: Span, sums: CallSums): void {
  if (!(sums.count > 0)) return;
  span.self -= sums.durationSumUs;
  span.originated -= sums.errors;
}

/** The time of a pair's calls that neither the callee nor anything below it spent. */
function onTheWay(
  client: readonly CallLeaf[],
  server: readonly CallLeaf[],
  when: 'baseline' | 'current',
): { readonly us: number; readonly calls: number } {
  const sum = (leaves: readonly CallLeaf[], read: (sums: CallSums) => number): number =>
    leaves.reduce((all, leaf) => (leaf[when].count > 0 ? all + read(leaf[when]) : all), 0);
  const calls = sum(client, ({ count }) => count);
  const answered = sum(server, ({ count }) => count);
  if (calls <= 0 || answered <= 0) return { us: 0, calls: 0 };
  const mean = sum(client, ({ durationSumUs }) => durationSumUs) / calls;
  const inside = sum(server, ({ durationSumUs }) => durationSumUs) / answered;
  return { us: (mean - inside) * calls, calls };
}

function emptySpan(): Span {
  return { requests: 0, self: 0, network: 0, crossings: 0, originated: 0 };
}
