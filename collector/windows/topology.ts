/** Topology records from the edges seen in a window. */
import type { TopologyRecord, TopologyRelation } from '../../src/model/records.ts';
import type { Edge } from '../naming/edges.ts';
import { EXTERNAL } from '../naming/edges.ts';

/** Remembers when each relation was first seen, up to a bound; then firstSeen is the window's. */
const MAX_RELATIONS = 100_000;

export class Topology {
  readonly #firstSeen = new Map<string, number>();

  records(edges: Iterable<Edge>, startMs: number, endMs: number): TopologyRecord[] {
    const found = new Map<string, TopologyRecord>();
    const add = (relation: TopologyRelation, from: string | undefined, to: string | undefined): void => {
      if (from === undefined || to === undefined || from === EXTERNAL || to === EXTERNAL) return;
      const key = `${relation}\0${from}\0${to}`;
      if (found.has(key)) return;
      const firstSeenMs = this.#firstSeen.get(key) ?? startMs;
      if (this.#firstSeen.size < MAX_RELATIONS) this.#firstSeen.set(key, firstSeenMs);
      found.set(key, { relation, from, to, firstSeenMs, lastSeenMs: endMs });
    };
    for (const edge of edges) {
      add('calls', edge.caller, edge.callee);
      add('part_of', edge.callerInstance, edge.caller);
      add('part_of', edge.calleeInstance, edge.callee);
      add('runs_on', edge.callerInstance, edge.callerMachine);
      add('runs_on', edge.calleeInstance, edge.calleeMachine);
    }
    return [...found.values()].sort(
      (a, b) => compare(a.relation, b.relation) || compare(a.from, b.from) || compare(a.to, b.to),
    );
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
