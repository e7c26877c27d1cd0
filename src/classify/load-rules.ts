/** Reads a folder of rules: every file, every problem, or the fault tree. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { compareNames } from '../model/entity.ts';
import { nearestName } from '../model/nearest.ts';
import { FAULT_CLASSES } from '../model/verdict.ts';
import { checkCondition, checkRule, findCycle, references } from './check-meaning.ts';
import type { ParsedFile } from './check-shape.ts';
import { MAX_OF, parseFile, reporter } from './check-shape.ts';
import { parseJson } from './json-text.ts';
import type { Condition, FaultTree, LoadResult, RuleProblem } from './types.ts';

/** Compiled nodes per condition; more would make every incident slow. */
const MAX_NODES = 2_000;

/** Problems of the folder's rules, every one with file, JSON path and mend. Empty: the rules are good. */
export function checkRules(dir: string): readonly RuleProblem[] {
  const loaded = loadRules(dir);
  return loaded.ok ? [] : loaded.problems;
}

/**
 * Loads `*.json` of a folder (`*.test.json` are truth tables, not rules). Files are read in name order.
 * Never throws on the content; a folder that cannot be read is a problem too.
 */
export function loadRules(dir: string): LoadResult {
  const problems: RuleProblem[] = [];
  const parsed: ParsedFile[] = [];
  for (const file of ruleFiles(dir, problems)) {
    const { value, problems: textProblems } = parseJson(readFileSync(join(dir, file), 'utf8'));
    problems.push(...textProblems.map((problem) => ({ file, ...problem })));
    if (value === undefined) continue;
    const result = parseFile(file, value, reporter(file, problems));
    if (result !== undefined) parsed.push(result);
  }
  const conditions = collectConditions(parsed, problems);
  const cycle = findCycle(conditions);
  if (cycle !== undefined) {
    const file = parsed.find((p) => cycle.some((name) => Object.hasOwn(p.conditions, name)))?.family.file ?? '';
    const message = `conditions refer to each other in a circle: ${cycle.join(' -> ')}`;
    problems.push({ file, path: `$.conditions.${cycle[0]}`, message, mend: 'break the circle' });
    return { ok: false, problems };
  }
  for (const { family, conditions: own } of parsed) {
    const report = reporter(family.file, problems);
    for (const [name, condition] of Object.entries(own)) {
      checkCondition(condition, `$.conditions.${name}`, conditions, report);
    }
    if (family.when !== undefined) checkCondition(family.when, '$.when', conditions, report);
    family.rules.forEach((rule, i) => {
      const path = `$.rules[${i}]`;
      checkRule(rule, path, conditions, report);
      if (sizeOf(rule.needs, conditions) > MAX_NODES) {
        report(
          `${path}.needs`,
          `the condition compiles to more than ${MAX_NODES} nodes`,
          'use smaller "atLeast" gates',
        );
      }
      if (!existsSync(join(dir, 'remedies', `${rule.class}.md`))) {
        const near = nearestName(
          rule.class,
          FAULT_CLASSES.filter((known) => known !== rule.class),
        );
        const hint = near === undefined ? '' : ` (or did you mean the class "${near}"?)`;
        report(`${path}.class`, `class "${rule.class}" has no remedy page`, `write remedies/${rule.class}.md${hint}`);
      }
    });
  }
  checkUnique(parsed, problems);
  checkUnused(parsed, conditions, problems);
  if (parsed.flatMap((p) => p.family.rules).length === 0 && problems.length === 0) {
    problems.push({ file: '.', path: '$', message: `no rules in ${basename(dir)}`, mend: 'add a rule file' });
  }
  if (problems.length > 0) return { ok: false, problems };
  const families = parsed.map((p) => p.family);
  const hash = createHash('sha256').update(canonical({ families, conditions })).digest('hex').slice(0, 12);
  const tree: FaultTree = { families, conditions, hash };
  return { ok: true, tree };
}

function ruleFiles(dir: string, problems: RuleProblem[]): string[] {
  try {
    if (!statSync(dir).isDirectory()) throw new Error('not a folder');
    return readdirSync(dir)
      .filter((name) => name.endsWith('.json') && !name.endsWith('.test.json'))
      .sort(compareNames);
  } catch (error) {
    const message = `cannot read the rules folder: ${(error as Error).message}`;
    problems.push({ file: '.', path: '$', message, mend: 'give the folder that holds the rule files' });
    return [];
  }
}

function collectConditions(parsed: readonly ParsedFile[], problems: RuleProblem[]): Record<string, Condition> {
  const all: Record<string, Condition> = {};
  const from = new Map<string, string>();
  for (const { family, conditions } of parsed) {
    for (const [name, condition] of Object.entries(conditions)) {
      const other = from.get(name);
      if (other !== undefined) {
        const message = `condition "${name}" is defined in ${other} too`;
        problems.push({ file: family.file, path: `$.conditions.${name}`, message, mend: 'rename one of them' });
      }
      all[name] = condition;
      from.set(name, family.file);
    }
  }
  return all;
}

function checkUnique(parsed: readonly ParsedFile[], problems: RuleProblem[]): void {
  const rules = new Map<string, string>();
  const families = new Map<string, string>();
  for (const { family } of parsed) {
    const twin = families.get(family.id);
    if (twin !== undefined) {
      const message = `family "${family.id}" is defined in ${twin} too`;
      problems.push({ file: family.file, path: '$.id', message, mend: 'give each file its own id' });
    }
    families.set(family.id, family.file);
    family.rules.forEach((rule, i) => {
      const other = rules.get(rule.id);
      if (other !== undefined) {
        const message = `rule "${rule.id}" is defined in ${other} too`;
        problems.push({ file: family.file, path: `$.rules[${i}].id`, message, mend: 'give each rule its own id' });
      }
      rules.set(rule.id, family.file);
    });
  }
}

function checkUnused(
  parsed: readonly ParsedFile[],
  conditions: Readonly<Record<string, Condition>>,
  problems: RuleProblem[],
): void {
  const used = new Set<string>();
  const use = (condition: Condition): void => {
    for (const name of references(condition)) {
      if (used.has(name)) continue;
      used.add(name);
      const target = conditions[name];
      if (target !== undefined) use(target);
    }
  };
  for (const { family } of parsed) {
    if (family.when !== undefined) use(family.when);
    for (const rule of family.rules) {
      for (const condition of [rule.needs, ...rule.excludes.map((e) => e.when), ...rule.supports.map((s) => s.when)]) {
        use(condition);
      }
    }
  }
  for (const { family, conditions: own } of parsed) {
    for (const name of Object.keys(own).filter((n) => !used.has(n))) {
      const message = `no rule uses the condition "${name}"`;
      problems.push({ file: family.file, path: `$.conditions.${name}`, message, mend: 'refer to it or remove it' });
    }
  }
}

/** Nodes a condition compiles to; k-of-n gates become combinations. */
function sizeOf(condition: Condition, named: Readonly<Record<string, Condition>>): number {
  if ('all' in condition) return condition.all.reduce((sum, item) => sum + sizeOf(item, named), 1);
  if ('any' in condition) return condition.any.reduce((sum, item) => sum + sizeOf(item, named), 1);
  if ('not' in condition) return 1 + sizeOf(condition.not, named);
  if ('condition' in condition) {
    const target = named[condition.condition];
    return target === undefined ? 1 : sizeOf(target, named);
  }
  if ('atLeast' in condition) {
    const { k, of } = condition.atLeast;
    const inner = of.reduce((sum, item) => sum + sizeOf(item, named), 0);
    return 1 + Math.ceil((choose(of.length, k) * k * inner) / Math.max(1, of.length));
  }
  return 1;
}

function choose(n: number, k: number): number {
  let result = 1;
  for (let i = 1; i <= Math.min(k, MAX_OF); i++) result = (result * (n - k + i)) / i;
  return result;
}

/** JSON with sorted keys, without the names of files. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (key, item: unknown) => {
    if (key === 'file') return undefined;
    if (typeof item !== 'object' || item === null || Array.isArray(item)) return item;
    return Object.fromEntries(Object.entries(item).sort(([a], [b]) => compareNames(a, b)));
  });
}
