/** The compiled tree against Kleene's tables, on random conditions: what json-rules-engine decides is three-valued logic. */
import { describe, expect, it } from 'vitest';
import { compileTree, needsPath } from '../../src/classify/compile.ts';
import type { Condition, FaultTree, Rule } from '../../src/classify/types.ts';
import type { Evidence3, FactValue } from '../../src/model/verdict.ts';
import { createRandom } from '../../src/stats/index.ts';

const FACTS = ['edge.retransmit_ratio', 'edge.rtt_ratio', 'edge.drop_ratio', 'edge.bytes_ratio'];

function ruleOf(needs: Condition): Rule {
  return {
    id: 'r',
    class: 'x',
    title: 'x',
    appliesTo: ['edge'],
    rank: 'symptom',
    priority: 0,
    needs,
    excludes: [],
    supports: [],
    confidence: 0.5,
    blames: 'suspect',
    defers: false,
    checks: [],
  };
}

async function engineSays(needs: Condition, facts: Readonly<Record<string, FactValue>>): Promise<Evidence3> {
  const rule = ruleOf(needs);
  const tree: FaultTree = {
    families: [{ id: 'f', title: 'F', rules: [rule], file: 'f.json' }],
    conditions: { named: { fact: FACTS[0]!, operator: 'greaterThan', value: 3 } },
    hash: '',
  };
  const results = await compileTree(tree).run((name) => facts[name] ?? null);
  return results.evidence(needsPath(rule));
}

/** Kleene's strong logic, written down independently: false < unknown < true; and = min, or = max, not = mirror. */
function oracle(condition: Condition, facts: Readonly<Record<string, FactValue>>): number {
  if ('all' in condition) return Math.min(...condition.all.map((c) => oracle(c, facts)));
  if ('any' in condition) return Math.max(...condition.any.map((c) => oracle(c, facts)));
  if ('not' in condition) return -oracle(condition.not, facts);
  if ('condition' in condition) return oracle({ fact: FACTS[0]!, operator: 'greaterThan', value: 3 }, facts);
  if ('atLeast' in condition) {
    const values = condition.atLeast.of.map((c) => oracle(c, facts)).sort((a, b) => b - a);
    return values[condition.atLeast.k - 1]!;
  }
  const value = facts[condition.fact] ?? null;
  if (typeof value !== 'number') return 0;
  const wanted = condition.value as number;
  const holds = {
    greaterThan: value > wanted,
    lessThanInclusive: value <= wanted,
    equal: value === wanted,
    notEqual: value !== wanted,
  };
  return holds[condition.operator as keyof typeof holds] ? 1 : -1;
}

describe('three-valued evaluation', () => {
  it('equals Kleene on 400 random conditions', async () => {
    const seed = 20261121;
    const random = createRandom(seed);
    const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)]!;
    const condition = (depth: number): Condition => {
      const kind = depth === 0 ? 'leaf' : pick(['leaf', 'all', 'any', 'not', 'atLeast', 'condition']);
      const some = (): Condition[] => Array.from({ length: 1 + Math.floor(random() * 3) }, () => condition(depth - 1));
      if (kind === 'all') return { all: some() };
      if (kind === 'any') return { any: some() };
      if (kind === 'not') return { not: condition(depth - 1) };
      if (kind === 'condition') return { condition: 'named' };
      if (kind === 'atLeast') {
        const of = some();
        return { atLeast: { k: 1 + Math.floor(random() * of.length), of } };
      }
      const operator = pick(['greaterThan', 'lessThanInclusive', 'equal', 'notEqual']);
      return { fact: pick(FACTS), operator, value: Math.floor(random() * 6) };
    };
    const seen = new Set<Evidence3>();
    for (let i = 0; i < 400; i++) {
      const tree = condition(3);
      const facts = Object.fromEntries(FACTS.map((name) => [name, random() < 0.35 ? null : Math.floor(random() * 6)]));
      const got = await engineSays(tree, facts);
      seen.add(got);
      const expected = (['absent', 'unknown', 'present'] as const)[oracle(tree, facts) + 1];
      expect(got, `seed ${seed}, round ${i}: ${JSON.stringify(tree)} on ${JSON.stringify(facts)}`).toBe(expected);
    }
    expect(seen.size).toBe(3);
  });

  it.each([
    ['not of unknown is unknown', { not: { fact: FACTS[0]!, operator: 'greaterThan', value: 3 } }, 'unknown'],
    ['NaN is unknown', { fact: FACTS[1]!, operator: 'notEqual', value: 3 }, 'unknown'],
    ['two facts, one unknown', { fact: FACTS[2]!, operator: 'greaterThan', value: { fact: FACTS[0]! } }, 'unknown'],
    ['two facts, both known', { fact: FACTS[2]!, operator: 'greaterThan', value: { fact: FACTS[3]! } }, 'present'],
  ] as const)('%s', async (_name, condition, expected) => {
    const facts = { [FACTS[0]!]: null, [FACTS[1]!]: Number.NaN, [FACTS[2]!]: 5, [FACTS[3]!]: 4 };
    expect(await engineSays(condition as Condition, facts)).toBe(expected);
  });
});
