/** The ledger and the walk against enumeration of every path, on random graphs of two to eight services. */
import { describe, expect, it } from 'vitest';
import { demarcate } from '../../src/demarcate/index.ts';
import type { Comparison } from '../../src/model/comparison.ts';
import type { Random } from '../../src/stats/random.ts';
import { createRandom } from '../../src/stats/random.ts';
import type { Drawn } from './draw.ts';
import { draw } from './draw.ts';

type Pairs = Readonly<Record<string, readonly [number, number]>>;

interface Graph {
  readonly names: readonly string[];
  readonly edges: readonly (readonly [string, string])[];
}

const GRAPHS = 60;

function randomGraph(random: Random): Graph {
  const size = 2 + Math.floor(random() * 7);
  const names = Array.from({ length: size }, (_, i) => `s${i}`);
  const edges: [string, string][] = [];
  for (let to = 1; to < size; to++) {
    // Everything is reached from s0; some by several ways.
    const first = Math.floor(random() * to);
    edges.push([names[first]!, names[to]!]);
    for (let from = 0; from < to; from++) if (from !== first && random() < 0.25) edges.push([names[from]!, names[to]!]);
  }
  return { names, edges };
}

const key = ([from, to]: readonly [string, string]): string => `${from} -> ${to}`;

/** Own times are a good part of a service's time: calls one after the other, as the drawing has them. */
function randomTimes({ names, edges }: Graph, random: Random): Required<Pick<Drawn, 'self' | 'net' | 'calls'>> {
  const some = (low: number, high: number): [number, number] => [
    low + random() * (high - low),
    low + random() * (high - low),
  ];
  const calls: Pairs = Object.fromEntries(edges.map((edge) => [key(edge), some(0.2, 1.5)]));
  const net: Pairs = Object.fromEntries(edges.map((edge) => [key(edge), some(50, 500)]));
  const self: Record<string, readonly [number, number]> = {};
  const time: Record<string, number> = {};
  for (const name of [...names].reverse()) {
    const below = edges
      .filter(([from]) => from === name)
      .reduce((sum, edge) => sum + Math.max(...calls[key(edge)]!) * (time[edge[1]]! + Math.max(...net[key(edge)]!)), 0);
    self[name] = some(200 + 0.3 * below, 1_000 + below);
    time[name] = Math.max(...self[name]!) + below;
  }
  return { self, net, calls };
}

/** Visits of every service and edge by one request of s0: the sum over all paths of the product of calls. */
function visits({ edges }: Graph, calls: Pairs, when: 0 | 1): Map<string, number> {
  const out = new Map<string, number>();
  const follow = (name: string, weight: number): void => {
    out.set(name, (out.get(name) ?? 0) + weight);
    for (const edge of edges.filter(([from]) => from === name)) {
      const next = weight * calls[key(edge)]![when];
      out.set(key(edge), (out.get(key(edge)) ?? 0) + next);
      follow(edge[1], next);
    }
  };
  follow('s0', 1);
  return out;
}

/** @param moved edges whose calls per request have an entry of their own, which leaves the visits of all below */
function expected(
  graph: Graph,
  { self, net, calls }: ReturnType<typeof randomTimes>,
  moved: ReadonlySet<string>,
): Map<string, number> {
  const [before, now] = [visits(graph, calls, 0), visits(graph, calls, 1)];
  const out = new Map<string, number>();
  const middle = ([a, b]: readonly [number, number]): number => (a + b) / 2;
  const weight = (name: string): number => middle([before.get(name)!, now.get(name)!]);
  for (const name of graph.names) {
    out.set(`self ${name}`, (self[name]![1] - self[name]![0]) * weight(name));
    let more = middle(self[name]!) * (now.get(name)! - before.get(name)!);
    for (const edge of graph.edges.filter(([from]) => from === name)) {
      const way = net[key(edge)]!;
      out.set(`network ${key(edge)}`, (way[1] - way[0]) * weight(key(edge)));
      more += middle(way) * (now.get(key(edge))! - before.get(key(edge))!);
    }
    out.set(`visits ${name}`, more);
  }
  for (const edge of graph.edges.filter((one) => moved.has(key(one)))) {
    const own = `calls ${key(edge)}`;
    const take = (name: string, us: number): void => {
      out.set(own, (out.get(own) ?? 0) + us);
      out.set(`visits ${name}`, out.get(`visits ${name}`)! - us);
    };
    const follow = ([from, to]: readonly [string, string], more: number): void => {
      take(from, more * middle(net[key([from, to])]!));
      take(to, more * middle(self[to]!));
      for (const next of graph.edges.filter(([below]) => below === to)) follow(next, more * middle(calls[key(next)]!));
    };
    follow(edge, weight(edge[0]) * (calls[key(edge)]![1] - calls[key(edge)]![0]));
  }
  return out;
}

describe('against enumeration of every path', () => {
  it(`${GRAPHS} random graphs: every entry of the ledger`, () => {
    const random = createRandom(11);
    let found = 0;
    for (let k = 0; k < GRAPHS; k++) {
      const graph = randomGraph(random);
      const times = randomTimes(graph, random);
      const walk = demarcate(draw({ graph: graph.edges.map(key).join('; '), ...times }));
      const [ledger] = walk.ledgers;
      const moved = ledger!.entries.flatMap(({ term, entity }) => (term === 'calls' ? [entity!.name] : []));
      found += moved.length;
      const truth = expected(graph, times, new Set(moved));
      const total = [...truth.values()].reduce((sum, value) => sum + Math.abs(value), 0);
      for (const { term, entity, contribution } of ledger!.entries) {
        const wanted = term === 'unexplained' ? 0 : truth.get(`${term} ${entity!.name}`)!;
        expect(Math.abs(contribution - wanted), `graph ${k}: ${term} ${entity?.name}`).toBeLessThan(1e-9 * total);
      }
      const sum = [...truth.values()].reduce((all, value) => all + value, 0);
      expect(Math.abs(ledger!.change - sum)).toBeLessThan(1e-9 * total);
    }
    expect(found).toBeGreaterThan(GRAPHS);
  });

  it(`${GRAPHS} random graphs: the one service, or the one way, that got slow is named first`, () => {
    const random = createRandom(12);
    for (let k = 0; k < GRAPHS; k++) {
      const graph = randomGraph(random);
      const steady = randomTimes(graph, random);
      const still = (pairs: Pairs): Record<string, readonly [number, number]> =>
        Object.fromEntries(Object.entries(pairs).map(([name, [a]]) => [name, [a, a] as const]));
      const [self, net, calls] = [still(steady.self), still(steady.net), still(steady.calls)];
      const edge = graph.edges[Math.floor(random() * graph.edges.length)]!;
      const alone = graph.edges.filter(([, to]) => to === edge[1]).length === 1;
      const isWay = random() < 0.5;
      if (isWay) net[key(edge)] = [net[key(edge)]![0], net[key(edge)]![0] + 60_000];
      else self[edge[1]] = [self[edge[1]]![0], self[edge[1]]![0] * 4 + 60_000];
      const [first] = demarcate(draw({ graph: graph.edges.map(key).join('; '), self, net, calls })).suspects;
      expect(first?.entity.name, `graph ${k}${alone ? '' : ', several callers'}`).toBe(isWay ? key(edge) : edge[1]);
    }
  });
});

describe('a topology that is wrong', () => {
  const drawn = draw({ graph: 'web -> api -> db; api -> cache; web -> users', self: { db: [1_000, 41_000] } });
  const names = (comparison: Comparison): string[] =>
    demarcate(comparison).suspects.map(({ entity }) => `${entity.kind} ${entity.name}`);

  it.each([
    ['says nothing', []],
    ['turns every call round', drawn.topology.calls.map(([from, to]) => [to, from] as const)],
    [
      'knows calls nobody makes',
      [...drawn.topology.calls, ['cache', 'web'], ['users', 'db'], ['ghost', 'api']] as const,
    ],
  ])('that %s: recorded calls decide', (_, calls) => {
    expect(names({ ...drawn, topology: { ...drawn.topology, calls } })).toEqual(names(drawn));
  });

  it('that puts instances on the wrong machine or service names no machine for it', () => {
    const partOf = [['db-1', 'users'] as const, ['cache-1', 'db'] as const];
    const runsOn = [['db-1', 'm1'] as const, ['api-1', 'm1'] as const, ['api-1', 'm2'] as const];
    expect(names({ ...drawn, topology: { ...drawn.topology, partOf, runsOn } })).toEqual(names(drawn));
  });
});
