/** The meaning of rules of the right shape: facts, operators, values, names, and conditions that can never hold. */
import { formatValue } from '../model/format.ts';
import { nearestName } from '../model/nearest.ts';
import { checkSentences } from './check-sentences.ts';
import type { Reporter } from './check-shape.ts';
import type { Domain } from './domain.ts';
import { fullDomain, implies, isEmpty, narrow } from './domain.ts';
import { factDefinition, factNames } from './fact-catalogue.ts';
import type { FactDefinition } from './fact-definition.ts';
import { ALL_OPERATORS, OPERATORS } from './operators.ts';
import type { Condition, Leaf, Rule } from './types.ts';

export type NamedConditions = Readonly<Record<string, Condition>>;
type Domains = ReadonlyMap<string, Domain>;

/** Judges one condition. `named` must hold conditions of every file. */
export function checkCondition(condition: Condition, path: string, named: NamedConditions, report: Reporter): void {
  checkParts(condition, path, named, report);
  checkReach(condition, path, named, new Map(), report, 0);
}

/** Judges a rule: its sentences, its conditions, and exclusions that would always win. */
export function checkRule(rule: Rule, path: string, named: NamedConditions, report: Reporter): void {
  checkSentences(rule, path, report);
  checkCondition(rule.needs, `${path}.needs`, named, report);
  rule.supports.forEach((support, i) => {
    checkCondition(support.when, `${path}.supports[${i}].when`, named, report);
  });
  const needed = conjunction(rule.needs, named, new Map(), 0);
  rule.excludes.forEach(({ when }, i) => {
    const at = `${path}.excludes[${i}].when`;
    checkCondition(when, at, named, report);
    const leaves = leavesOfAll(when, named, 0);
    const always = leaves?.every((leaf) => {
      const domain = needed.get(leaf.fact);
      return domain !== undefined && implies(domain, leaf);
    });
    if (always === true)
      report(at, 'this exclusion holds whenever the rule\'s "needs" hold: the rule can never fire', 'narrow it');
  });
}

/** Facts, operators, values and names of every node. */
function checkParts(condition: Condition, path: string, named: NamedConditions, report: Reporter): void {
  if ('all' in condition) eachItem(condition.all, `${path}.all`, named, report);
  else if ('any' in condition) eachItem(condition.any, `${path}.any`, named, report);
  else if ('not' in condition) checkParts(condition.not, `${path}.not`, named, report);
  else if ('atLeast' in condition) eachItem(condition.atLeast.of, `${path}.atLeast.of`, named, report);
  else if ('condition' in condition) {
    if (!Object.hasOwn(named, condition.condition)) {
      const near = nearestName(condition.condition, Object.keys(named));
      report(
        `${path}.condition`,
        `no condition is called "${condition.condition}"`,
        near === undefined ? 'define it under "conditions"' : `did you mean "${near}"?`,
      );
    }
  } else checkLeaf(condition, path, report);
}

function eachItem(items: readonly Condition[], path: string, named: NamedConditions, report: Reporter): void {
  items.forEach((item, i) => {
    checkParts(item, `${path}[${i}]`, named, report);
  });
}

function checkLeaf(leaf: Leaf, path: string, report: Reporter): void {
  const fact = factDefinition(leaf.fact);
  if (fact === undefined) {
    const near = nearestName(leaf.fact, factNames());
    report(
      `${path}.fact`,
      `there is no fact "${leaf.fact}"`,
      near === undefined ? 'see docs/rules.md for the list of facts' : `did you mean "${near}"?`,
    );
  }
  if (!ALL_OPERATORS.includes(leaf.operator)) {
    const near = nearestName(leaf.operator, ALL_OPERATORS);
    report(
      `${path}.operator`,
      `there is no operator "${leaf.operator}"`,
      near === undefined ? `operators: ${ALL_OPERATORS.join(', ')}` : `did you mean "${near}"?`,
    );
    return;
  }
  if (fact === undefined) return;
  if (!OPERATORS[fact.type].includes(leaf.operator)) {
    report(
      `${path}.operator`,
      `"${leaf.operator}" does not suit ${fact.name}, which is a ${fact.type}`,
      `use one of ${OPERATORS[fact.type].join(', ')}`,
    );
    return;
  }
  checkValue(leaf, fact, path, report);
}

function checkValue(leaf: Leaf, fact: FactDefinition, path: string, report: Reporter): void {
  const { value, operator } = leaf;
  const at = `${path}.value`;
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    const other = 'fact' in value && typeof value.fact === 'string' ? factDefinition(value.fact) : undefined;
    if (other === undefined) {
      const name = 'fact' in value ? String(value.fact) : '';
      const near = nearestName(name, factNames());
      report(at, `there is no fact "${name}"`, near === undefined ? '{ "fact": "…" }' : `did you mean "${near}"?`);
    } else if (other.type !== fact.type || other.unit !== fact.unit) {
      report(
        at,
        `${other.name} (${other.type} ${other.unit}) cannot be compared with ${fact.name} (${fact.type} ${fact.unit})`,
        'compare facts of one type and unit',
      );
    }
    return;
  }
  const list = operator === 'in' || operator === 'notIn';
  if (list !== Array.isArray(value)) {
    report(
      at,
      list ? `"${operator}" takes a list` : `"${operator}" takes one value, found a list`,
      list ? '"value": [ … ]' : 'use "in"',
    );
    return;
  }
  const type = fact.type === 'list' ? 'string' : fact.type;
  for (const item of Array.isArray(value) ? value : [value]) {
    if (typeof item !== type || (typeof item === 'number' && !Number.isFinite(item))) {
      const number = type === 'number' && typeof item === 'string' && Number.isFinite(Number(item));
      report(
        at,
        `${fact.name} is a ${type}, found ${JSON.stringify(item)} (a ${item === null ? 'null' : typeof item})`,
        number ? `write ${item} without quotes` : `"value": a ${type}`,
      );
    } else if (fact.values !== undefined && !fact.values.includes(String(item))) {
      const near = nearestName(String(item), fact.values);
      report(
        at,
        `${fact.name} is never "${String(item)}"`,
        near === undefined ? `one of ${fact.values.join(', ')}` : `did you mean "${near}"?`,
      );
    }
  }
}

/** Contradictions among conditions that must hold together, and parts of alternatives that can never hold. */
function checkReach(
  condition: Condition,
  path: string,
  named: NamedConditions,
  context: Domains,
  report: Reporter,
  depth: number,
): void {
  if (depth > 64) return;
  if ('all' in condition) {
    const domains = new Map(context);
    condition.all.forEach((item, i) => {
      const at = `${path}.all[${i}]`;
      for (const leaf of leavesOfAll(item, named, depth) ?? []) tighten(leaf, domains, at, report);
    });
    condition.all.forEach((item, i) => {
      if (leavesOfAll(item, named, depth) === undefined) {
        checkReach(item, `${path}.all[${i}]`, named, domains, report, depth + 1);
      }
    });
  } else if ('any' in condition) {
    condition.any.forEach((item, i) => {
      checkReach(item, `${path}.any[${i}]`, named, context, report, depth + 1);
    });
  } else if ('atLeast' in condition) {
    condition.atLeast.of.forEach((item, i) => {
      checkReach(item, `${path}.atLeast.of[${i}]`, named, context, report, depth + 1);
    });
  } else if ('fact' in condition) tighten(condition, new Map(context), path, report);
}

function tighten(leaf: Leaf, domains: Map<string, Domain>, path: string, report: Reporter): void {
  const fact = factDefinition(leaf.fact);
  if (fact === undefined || !OPERATORS[fact.type].includes(leaf.operator)) return;
  const before = domains.get(leaf.fact) ?? fullDomain(fact);
  const after = narrow(before, leaf);
  if (after === undefined) return;
  if (!isEmpty(after)) {
    domains.set(leaf.fact, after);
    return;
  }
  const alone = narrow(fullDomain(fact), leaf);
  if (alone !== undefined && isEmpty(alone)) {
    report(path, `can never hold: ${leaf.fact} ${rangeText(fact)}`, rangeMend(leaf, fact));
  } else if (!isEmpty(before)) {
    report(
      path,
      `contradicts the conditions on ${leaf.fact} that must hold with it: it can never hold`,
      'remove one of them, or put them under "any"',
    );
  }
}

function rangeText(fact: FactDefinition): string {
  if (fact.min !== undefined && fact.max !== undefined) return `lies between ${fact.min} and ${fact.max}`;
  return fact.min === undefined ? `is at most ${fact.max}` : `is at least ${fact.min}`;
}

function rangeMend(leaf: Leaf, fact: FactDefinition): string {
  if (fact.unit === 'ratio' && typeof leaf.value === 'number' && leaf.value > 1 && leaf.value <= 100) {
    return `shares go from 0 to 1: for ${leaf.value} % write ${leaf.value / 100}`;
  }
  return `${fact.text}; ${typeof leaf.value === 'number' ? formatValue(leaf.value, fact.unit) : 'this value'} is out of its range`;
}

/** The leaves of a condition that is a leaf, or an `all` (or a named condition) of leaves only; undefined otherwise. */
function leavesOfAll(condition: Condition, named: NamedConditions, depth: number): readonly Leaf[] | undefined {
  if (depth > 64) return undefined;
  if ('fact' in condition) return [condition];
  if ('condition' in condition) {
    const target = named[condition.condition];
    return target === undefined ? undefined : leavesOfAll(target, named, depth + 1);
  }
  if (!('all' in condition)) return undefined;
  const parts = condition.all.map((item) => leavesOfAll(item, named, depth + 1));
  return parts.every((part) => part !== undefined) ? parts.flat() : undefined;
}

/** What certainly holds when the condition holds: the leaves joined by `all`. */
function conjunction(
  condition: Condition,
  named: NamedConditions,
  into: Map<string, Domain>,
  depth: number,
): Map<string, Domain> {
  if (depth > 64) return into;
  if ('all' in condition) for (const item of condition.all) conjunction(item, named, into, depth + 1);
  else if ('condition' in condition) {
    const target = named[condition.condition];
    if (target !== undefined) conjunction(target, named, into, depth + 1);
  } else if ('fact' in condition) {
    const fact = factDefinition(condition.fact);
    if (fact !== undefined) {
      const after = narrow(into.get(fact.name) ?? fullDomain(fact), condition);
      if (after !== undefined) into.set(fact.name, after);
    }
  }
  return into;
}

/** Names in a cycle of named conditions, in order; undefined when there is none. */
export function findCycle(named: NamedConditions): readonly string[] | undefined {
  const done = new Set<string>();
  const visit = (name: string, trail: readonly string[]): readonly string[] | undefined => {
    if (trail.includes(name)) return [...trail.slice(trail.indexOf(name)), name];
    const condition = named[name];
    if (done.has(name) || condition === undefined) return undefined;
    for (const next of references(condition)) {
      const cycle = visit(next, [...trail, name]);
      if (cycle !== undefined) return cycle;
    }
    done.add(name);
    return undefined;
  };
  for (const name of Object.keys(named)) {
    const cycle = visit(name, []);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}

/** Names of the conditions a condition refers to. */
export function references(condition: Condition): readonly string[] {
  if ('condition' in condition) return [condition.condition];
  if ('all' in condition) return condition.all.flatMap(references);
  if ('any' in condition) return condition.any.flatMap(references);
  if ('not' in condition) return references(condition.not);
  if ('atLeast' in condition) return condition.atLeast.of.flatMap(references);
  return [];
}
