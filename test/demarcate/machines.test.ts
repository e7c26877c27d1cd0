import { describe, expect, it } from 'vitest';
import { demarcate } from '../../src/demarcate/index.ts';
import type { CallLeaf, Comparison } from '../../src/model/comparison.ts';
import type { Drawn } from './draw.ts';
import { draw, pair } from './draw.ts';

const GRAPH = 'web -> cart -> store; web -> users; web -> search -> index; users -> mail';
/** cart and users share a machine, the others have their own. */
const ON = {
  web: 'm0',
  cart: 'm1',
  users: 'm1',
  store: 'm2',
  search: 'm3',
  index: 'm4',
  mail: 'm5',
};
const SLOW: Drawn = { graph: GRAPH, on: ON, self: { cart: [1_000, 21_000], users: [1_000, 16_000] } };

function first(comparison: Comparison): string {
  const { entity } = demarcate(comparison).suspects[0]!;
  return `${entity.kind} ${entity.name}`;
}

describe('a machine that several services share', () => {
  it('is the suspect when all that runs there got slow and nothing else did', () => {
    const { suspects } = demarcate(draw(SLOW));
    expect(suspects.map(({ entity }) => `${entity.kind} ${entity.name}`)).toEqual(['machine m1']);
    expect(suspects[0]).toMatchObject({
      term: 'self',
      instances: ['cart-1', 'users-1'],
      machines: ['m1'],
      observations: [
        {
          text: 'cart, users on m1 account for 100 % of what was found; 5 instances on other machines are as before',
        },
      ],
    });
    expect(suspects[0]!.contribution).toBeCloseTo(1, 6);
    expect(suspects[0]!.path.map(({ name }) => name)).toEqual(['m1', 'cart', 'web']);
  });

  it('is not when they run on different machines: two faults are two suspects', () => {
    expect(first(draw({ ...SLOW, on: { ...ON, users: 'm6' } }))).toBe('service cart');
  });

  it('is not when everything runs there, or nobody says where anything runs', () => {
    const everything = Object.fromEntries(Object.keys(ON).map((name) => [name, 'm1']));
    expect(first(draw({ ...SLOW, on: everything }))).toBe('service cart');
    expect(first(draw({ graph: GRAPH, self: SLOW.self! }))).toBe('service cart');
  });

  it('is not when most of what runs there is as before', () => {
    expect(first(draw({ ...SLOW, on: { ...ON, index: 'm1', mail: 'm1' } }))).toBe('service cart');
  });

  it('is one of two suspects when something else fails, or got slow, at the same time', () => {
    const names = (drawn: Drawn): string[] =>
      demarcate(draw(drawn)).suspects.map(({ entity, term }) => `${entity.kind} ${entity.name} ${term}`);
    const failing = { ...SLOW, errors: { index: [0, 0.5] as const }, symptom: 'error_rise' as const };
    const comparison = draw(failing);
    const latency = { ...comparison.anomalies[0]!, symptom: 'latency_rise' as const };
    const both = demarcate({ ...comparison, anomalies: [...comparison.anomalies, latency] });
    expect(both.suspects.map(({ entity }) => `${entity.kind} ${entity.name}`).sort()).toEqual([
      'machine m1',
      'service index',
    ]);
    const slower = { ...SLOW.self, index: [1_000, 26_000] as const };
    expect(names({ ...SLOW, self: slower })).toEqual(['machine m1 self', 'service index self']);
    // What holds less than half of it is not told from several faults.
    expect(names({ ...SLOW, self: { ...SLOW.self, index: [1_000, 61_000] } })).toContain('service cart self');
  });

  it('is not when nearly all of it is one service', () => {
    expect(first(draw({ ...SLOW, self: { cart: [1_000, 61_000], users: [1_000, 5_000] } }))).toBe('service cart');
  });

  it('is, however much of it is one service, when all of them got slower by the same factor', () => {
    const on = { ...ON, mail: 'm1' };
    const slower = (...[cart, users, mail]: readonly [number, number, number]): Drawn => ({
      graph: GRAPH,
      on,
      self: { cart: [10_000, 10_000 * cart], users: [500, 500 * users], mail: [500, 500 * mail] },
    });
    expect(first(draw(slower(8, 7, 9)))).toBe('machine m1');
    // One of them beside those that it disturbs.
    expect(first(draw(slower(20, 4, 6)))).toBe('service cart');
  });

  it('is not when one of its instances is stopped by its own quota', () => {
    const drawn = draw(SLOW);
    const throttled = {
      entityKind: 'instance' as const,
      entity: 'cart-1',
      service: 'cart',
      machine: 'm1',
      metrics: [pair('cpuThrottledUs', 0, 3_000_000)],
    };
    expect(first({ ...drawn, resources: [throttled] })).toBe('service cart');
  });

  it('is the suspect when all ways to and from it got slow, and the ways past it did not', () => {
    const net = {
      'web -> cart': [100, 30_100],
      'cart -> store': [100, 30_100],
      'web -> users': [100, 30_100],
      'users -> mail': [100, 30_100],
    } as const;
    expect(first(draw({ graph: GRAPH, on: ON, net }))).toBe('machine m1');
    // One way alone is that way.
    expect(first(draw({ graph: GRAPH, on: ON, net: { 'web -> cart': [100, 30_100] } }))).toBe('edge web -> cart');
  });

  it('is not when its ways to one of two other machines are as before: something lies between it and the other', () => {
    const graph = 'entry -> web; entry -> search; web -> cart; web -> users; search -> cart; search -> users';
    const on = { entry: 'm9', web: 'm0', search: 'm3', cart: 'm1', users: 'm1' };
    const net = { 'web -> cart': [100, 30_100], 'web -> users': [100, 30_100] } as const;
    expect(first(draw({ graph, on, net }))).toMatch(/^edge web -> (cart|users)$/);
    const both = { ...net, 'search -> cart': [100, 30_100], 'search -> users': [100, 30_100] } as const;
    expect(first(draw({ graph, on, net: both }))).toBe('machine m1');
  });

  it('spares who only notices: ways past it that grew by a hundredth of its own', () => {
    const net = {
      'web -> cart': [100, 300_100],
      'cart -> store': [100, 300_100],
      'web -> users': [100, 300_100],
      'users -> mail': [100, 300_100],
      'web -> search': [100, 3_100],
      'search -> index': [100, 3_100],
    } as const;
    expect(first(draw({ graph: GRAPH, on: ON, net }))).toBe('machine m1');
    // As slow as the others, they are no bystanders.
    const all = Object.fromEntries(Object.keys(net).map((name) => [name, [100, 300_100] as const]));
    expect(first(draw({ graph: GRAPH, on: ON, net: all }))).not.toBe('machine m1');
  });

  it('is the suspect when calls over its link fail that the callees never saw', () => {
    const drawn = draw({ graph: GRAPH, on: ON, symptom: 'error_rise' });
    const touches = ({ callerMachine, calleeMachine }: CallLeaf): boolean =>
      [callerMachine, calleeMachine].includes('m1');
    const calls = drawn.calls.map((leaf) =>
      (leaf.side === 'client' && touches(leaf)) || leaf.callee === 'web'
        ? { ...leaf, current: { ...leaf.current, errors: leaf.current.count * (leaf.callee === 'web' ? 0.4 : 0.2) } }
        : leaf,
    );
    expect(first({ ...drawn, calls })).toBe('machine m1');
  });

  it('is the suspect when what runs there begins to fail', () => {
    const errors = { cart: [0, 0.2], users: [0, 0.25] } as const;
    expect(first(draw({ graph: GRAPH, on: ON, errors, symptom: 'error_rise' }))).toBe('machine m1');
  });
});
