/**
 * The fault tree on json-rules-engine. The engine knows true and false; evidence knows unknown too. So every condition is
 * compiled twice: once to "certainly" (unknown counts as false) and once to "possibly" (unknown counts as true), with the
 * two exchanged under every `not`. certainly → present; only possibly → unknown; neither → absent. This is Kleene's
 * strong three-valued logic. A k-of-n gate becomes `any` of its combinations.
 */

import type { Evidence3, FactValue } from '../model/verdict.ts';
import type { NestedCondition, RuleProperties } from './engine-types.ts';
import { Engine, OperatorDecorator } from './engine-types.ts';
import type { Condition, FaultTree, Leaf, Rule } from './types.ts';

type Mode = 'certainly' | 'possibly';

/** Results of every node of every condition, by its path. */
export interface TreeResults {
  evidence(path: string): Evidence3;
}

export interface CompiledTree {
  readonly tree: FaultTree;
  /** Names of the facts any rule tests. */
  readonly facts: readonly string[];
  /** @param fact value of a fact; null: unknown. Cost: O(nodes). */
  run(fact: (name: string) => FactValue): Promise<TreeResults>;
}

export const familyPath = (id: string): string => `family:${id}`;
export const needsPath = (rule: Rule): string => `rule:${rule.id}:needs`;
export const excludePath = (rule: Rule, i: number): string => `rule:${rule.id}:excludes[${i}]`;
export const supportPath = (rule: Rule, i: number): string => `rule:${rule.id}:supports[${i}]`;

/** Path of the i-th part of a gate. Compiling and explaining must agree on it. */
export const childPath = (path: string, i: number): string => `${path}.${i}`;

/** Compiles a tree that passed the checks. Cost: O(nodes). */
export function compileTree(tree: FaultTree): CompiledTree {
  const engine = new Engine([], { allowUndefinedFacts: false });
  engine.addOperatorDecorator(
    new OperatorDecorator('certainly', (a: unknown, b: unknown, next) => isKnown(a) && isKnown(b) && next(a, b)),
  );
  engine.addOperatorDecorator(
    new OperatorDecorator('possibly', (a: unknown, b: unknown, next) => !isKnown(a) || !isKnown(b) || next(a, b)),
  );
  const facts = new Set<string>();
  const add = (condition: Condition, path: string): void => {
    for (const mode of ['certainly', 'possibly'] as const) {
      const compiled = compile(condition, mode, path, tree, facts);
      const properties: RuleProperties = {
        name: `${mode}|${path}`,
        conditions: { all: [compiled] },
        event: { type: 'evaluated' },
      };
      engine.addRule(properties);
    }
  };
  for (const family of tree.families) {
    if (family.when !== undefined) add(family.when, familyPath(family.id));
    for (const rule of family.rules) {
      add(rule.needs, needsPath(rule));
      rule.excludes.forEach(({ when }, i) => {
        add(when, excludePath(rule, i));
      });
      rule.supports.forEach(({ when }, i) => {
        add(when, supportPath(rule, i));
      });
    }
  }
  const names = [...facts].sort();
  return {
    tree,
    facts: names,
    async run(fact) {
      const values = Object.fromEntries(names.map((name) => [name, fact(name)]));
      const { results, failureResults } = await engine.run(values);
      const certainly = new Map<string, boolean>();
      const possibly = new Map<string, boolean>();
      for (const result of [...results, ...failureResults]) collect(result.conditions, certainly, possibly);
      return {
        evidence: (path) =>
          certainly.get(path) === true ? 'present' : possibly.get(path) === true ? 'unknown' : 'absent',
      };
    },
  };
}

function isKnown(value: unknown): boolean {
  return value !== null && value !== undefined && !(typeof value === 'number' && Number.isNaN(value));
}

function compile(condition: Condition, mode: Mode, path: string, tree: FaultTree, facts: Set<string>): NestedCondition {
  const name = `${mode}|${path}`;
  const child = (item: Condition, i: number, as: Mode = mode): NestedCondition =>
    compile(item, as, childPath(path, i), tree, facts);
  if ('all' in condition) return { name, all: condition.all.map((item, i) => child(item, i)) };
  if ('any' in condition) return { name, any: condition.any.map((item, i) => child(item, i)) };
  if ('not' in condition) {
    return { name, not: child(condition.not, 0, mode === 'certainly' ? 'possibly' : 'certainly') };
  }
  if ('condition' in condition) {
    const target = tree.conditions[condition.condition];
    if (target === undefined) throw new Error(`condition ${condition.condition} is not defined`);
    return { name, all: [child(target, 0)] };
  }
  if ('atLeast' in condition) {
    const items = condition.atLeast.of.map((item, i) => child(item, i));
    const gates = combinations(items, condition.atLeast.k).map((all) => ({ all }));
    return { name, any: gates };
  }
  return compileLeaf(condition, mode, name, facts);
}

function compileLeaf(leaf: Leaf, mode: Mode, name: string, facts: Set<string>): NestedCondition {
  facts.add(leaf.fact);
  const { value } = leaf;
  if (typeof value === 'object' && 'fact' in value) facts.add(value.fact);
  return { name, fact: leaf.fact, operator: `${mode}:${leaf.operator}`, value };
}

function combinations<T>(items: readonly T[], k: number): T[][] {
  if (k === 0) return [[]];
  return items.flatMap((item, i) => combinations(items.slice(i + 1), k - 1).map((rest) => [item, ...rest]));
}

interface ResultNode {
  readonly name?: string;
  readonly result?: boolean;
  readonly all?: readonly unknown[];
  readonly any?: readonly unknown[];
  readonly not?: unknown;
}

function collect(node: unknown, certainly: Map<string, boolean>, possibly: Map<string, boolean>): void {
  const { name, result, all, any, not } = node as ResultNode;
  if (name !== undefined && result !== undefined) {
    const bar = name.indexOf('|');
    const target = name.slice(0, bar) === 'certainly' ? certainly : possibly;
    target.set(name.slice(bar + 1), result);
  }
  for (const item of all ?? any ?? []) collect(item, certainly, possibly);
  if (not !== undefined) collect(not, certainly, possibly);
}
