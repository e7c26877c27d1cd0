/**
 * The shape of a rule file: keys and types. Every problem at once, each with its JSON path and mend. What json-rules-engine
 * would accept and get wrong is refused here: an empty `any` (it fires), `all` beside `any` in one node (one is dropped),
 * unknown operators (they abort the run), priorities (they cut the evaluation short), paths and params.
 */
import { nearestName } from '../model/nearest.ts';
import type { Condition, Family, Rule, RuleProblem } from './types.ts';

export const RULE_FILE_VERSION = 1;
/** Deeper trees are refused: the engine recurses. */
export const MAX_DEPTH = 16;
/** Larger k-of-n gates are refused: C(n, k) combinations are compiled. */
export const MAX_OF = 8;

const FAMILY_KEYS = ['$schema', 'schemaVersion', 'id', 'title', 'when', 'conditions', 'rules'];
const RULE_KEYS = [
  'id',
  'class',
  'title',
  'summary',
  'appliesTo',
  'rank',
  'priority',
  'confidence',
  'needs',
  'excludes',
  'supports',
  'blames',
  'defers',
  'checks',
];
const GATES = ['all', 'any', 'not', 'condition', 'atLeast'];
const LEAF_KEYS = ['fact', 'operator', 'value'];
const KINDS = ['service', 'instance', 'machine', 'edge'];
const RANKS = ['state', 'resource', 'symptom'];
const BLAMES = ['suspect', 'callee', 'caller', 'instance', 'machine', 'worst_callee', 'slow_callee', 'resolver'];
const ID = /^[a-z][a-z0-9-]*$/;
const CLASS = /^[a-z][a-z0-9_]*$/;

type Json = Readonly<Record<string, unknown>>;

export interface ParsedFile {
  readonly family: Family;
  readonly conditions: Readonly<Record<string, Condition>>;
}

/** Collects problems of one file. */
export type Reporter = (path: string, message: string, mend: string) => void;

export function reporter(file: string, problems: RuleProblem[]): Reporter {
  return (path, message, mend) => problems.push({ file, path, message, mend });
}

/** @returns the file's content, or undefined when its shape is wrong (the problems say how) */
export function parseFile(file: string, json: unknown, report: Reporter): ParsedFile | undefined {
  let ok = true;
  const bad: Reporter = (path, message, mend) => {
    ok = false;
    report(path, message, mend);
  };
  if (!isObject(json)) {
    bad(
      '$',
      `expected an object, found ${kindOf(json)}`,
      'write { "schemaVersion": 1, "id": …, "title": …, "rules": […] }',
    );
    return undefined;
  }
  checkKeys(json, FAMILY_KEYS, '$', bad);
  if (json.schemaVersion !== RULE_FILE_VERSION) {
    bad('$.schemaVersion', `expected ${RULE_FILE_VERSION}, found ${show(json.schemaVersion)}`, '"schemaVersion": 1');
  }
  checkText(json, 'id', '$', bad, ID, 'lower case letters, digits and hyphens');
  checkText(json, 'title', '$', bad);
  if (json.when !== undefined) checkCondition(json.when, '$.when', bad, 0);
  if (json.conditions !== undefined) {
    if (!isObject(json.conditions)) {
      bad('$.conditions', `expected an object, found ${kindOf(json.conditions)}`, '"conditions": { "name": { … } }');
    } else {
      for (const [name, condition] of Object.entries(json.conditions)) {
        if (!ID.test(name)) {
          bad(
            `$.conditions.${name}`,
            `"${name}" is no name for a condition`,
            'use lower case letters, digits and hyphens',
          );
        }
        checkCondition(condition, `$.conditions.${name}`, bad, 0);
      }
    }
  }
  if (!Array.isArray(json.rules)) {
    bad('$.rules', `expected a list of rules, found ${kindOf(json.rules)}`, '"rules": [ { "id": …, "class": … } ]');
  } else {
    json.rules.forEach((rule, i) => {
      checkRule(rule, `$.rules[${i}]`, bad);
    });
  }
  if (!ok) return undefined;
  const rules = (json.rules as readonly Json[]).map(toRule);
  const family: Family = {
    id: json.id as string,
    title: json.title as string,
    ...(json.when === undefined ? {} : { when: json.when as Condition }),
    rules,
    file,
  };
  return { family, conditions: (json.conditions ?? {}) as Record<string, Condition> };
}

function toRule(json: Json): Rule {
  return {
    id: json.id as string,
    class: json.class as string,
    title: json.title as string,
    ...(json.summary === undefined ? {} : { summary: json.summary as string }),
    appliesTo: json.appliesTo as Rule['appliesTo'],
    rank: json.rank as Rule['rank'],
    priority: (json.priority as number | undefined) ?? 0,
    confidence: json.confidence as number,
    needs: json.needs as Condition,
    excludes: (json.excludes as Rule['excludes'] | undefined) ?? [],
    supports: (json.supports as Rule['supports'] | undefined) ?? [],
    blames: (json.blames as Rule['blames'] | undefined) ?? 'suspect',
    defers: (json.defers as boolean | undefined) ?? false,
    checks: (json.checks as Rule['checks'] | undefined) ?? [],
  };
}

function checkRule(rule: unknown, path: string, bad: Reporter): void {
  if (!isObject(rule)) {
    bad(path, `expected a rule, found ${kindOf(rule)}`, 'write { "id": …, "class": …, "needs": … }');
    return;
  }
  checkKeys(rule, RULE_KEYS, path, bad);
  checkText(rule, 'id', path, bad, ID, 'lower case letters, digits and hyphens');
  checkText(rule, 'class', path, bad, CLASS, 'lower case letters, digits and underscores');
  checkText(rule, 'title', path, bad);
  if (rule.summary !== undefined) checkText(rule, 'summary', path, bad);
  checkList(rule.appliesTo, `${path}.appliesTo`, KINDS, bad);
  checkEnum(rule.rank, `${path}.rank`, RANKS, bad);
  if (rule.blames !== undefined) checkEnum(rule.blames, `${path}.blames`, BLAMES, bad);
  if (rule.defers !== undefined && typeof rule.defers !== 'boolean') {
    bad(`${path}.defers`, `expected true or false, found ${show(rule.defers)}`, '"defers": true');
  }
  checkNumber(rule.confidence, `${path}.confidence`, 0, 1, bad);
  if (rule.priority !== undefined) checkNumber(rule.priority, `${path}.priority`, -1000, 1000, bad);
  if (rule.needs === undefined) {
    bad(`${path}.needs`, 'a rule without "needs" would always fire', 'add "needs": { "all": [ … ] }');
  } else checkCondition(rule.needs, `${path}.needs`, bad, 0);
  for (const key of ['excludes', 'supports'] as const) {
    const items = rule[key];
    if (items === undefined) continue;
    const second = key === 'excludes' ? 'reason' : 'weight';
    if (!Array.isArray(items)) {
      bad(
        `${path}.${key}`,
        `expected a list, found ${kindOf(items)}`,
        `"${key}": [ { "when": { … }, "${second}": … } ]`,
      );
      continue;
    }
    items.forEach((item: unknown, i) => {
      const at = `${path}.${key}[${i}]`;
      if (!isObject(item)) {
        bad(at, `expected an object, found ${kindOf(item)}`, `{ "when": { … }, "${second}": … }`);
        return;
      }
      checkKeys(item, ['when', second], at, bad);
      if (item.when === undefined) bad(`${at}.when`, '"when" is missing', 'add the condition');
      else checkCondition(item.when, `${at}.when`, bad, 0);
      if (key === 'excludes') checkText(item, 'reason', at, bad);
      else checkNumber(item.weight, `${at}.weight`, -1, 1, bad);
    });
  }
  if (rule.checks !== undefined && !(Array.isArray(rule.checks) && rule.checks.every((c) => typeof c === 'string'))) {
    bad(`${path}.checks`, 'expected a list of sentences', '"checks": ["Look at …"]');
  }
}

/** Structure only; facts, operators and values are judged in check-meaning.ts. */
function checkCondition(condition: unknown, path: string, bad: Reporter, depth: number): void {
  if (depth > MAX_DEPTH) {
    bad(path, `conditions are nested more than ${MAX_DEPTH} deep`, 'name a part under "conditions" and refer to it');
    return;
  }
  if (!isObject(condition)) {
    bad(path, `expected a condition, found ${kindOf(condition)}`, 'write { "fact": …, "operator": …, "value": … }');
    return;
  }
  const keys = Object.keys(condition);
  const gates = keys.filter((key) => GATES.includes(key));
  if (gates.length > 1) {
    bad(
      path,
      `"${gates.join('" beside "')}" in one node: only one of them would count`,
      `nest them: { "all": [ { "${gates[0]}": … }, { "${gates[1]}": … } ] }`,
    );
    for (const gate of gates) checkGate(condition, gate, path, bad, depth);
    return;
  }
  const gate = gates[0];
  if (gate !== undefined) {
    checkKeys(condition, [gate], path, bad);
    checkGate(condition, gate, path, bad, depth);
    return;
  }
  // One misspelt word is one problem: what it was meant to be is checked, not what a leaf would need.
  const [key = ''] = keys;
  const meant = keys.length === 1 && !LEAF_KEYS.includes(key) ? nearestName(key, [...LEAF_KEYS, ...GATES]) : undefined;
  if (meant === undefined || !GATES.includes(meant)) {
    checkLeaf(condition, path, bad);
    return;
  }
  bad(`${path}.${key}`, `unknown key "${key}"`, `did you mean "${meant}"?`);
  checkGate({ [meant]: condition[key] }, meant, path, bad, depth);
}

function checkGate(node: Json, gate: string, path: string, bad: Reporter, depth: number): void {
  const value = node[gate];
  const at = `${path}.${gate}`;
  switch (gate) {
    case 'all':
    case 'any':
      checkItems(value, at, gate, bad, depth);
      return;
    case 'not':
      if (Array.isArray(value)) bad(at, '"not" takes one condition, found a list', '{ "not": { "any": [ … ] } }');
      else checkCondition(value, at, bad, depth + 1);
      return;
    case 'condition':
      if (typeof value !== 'string')
        bad(at, `expected the name of a condition, found ${kindOf(value)}`, '"condition": "name"');
      return;
    default: {
      if (!isObject(value)) {
        bad(at, `expected an object, found ${kindOf(value)}`, '"atLeast": { "k": 2, "of": [ … ] }');
        return;
      }
      checkKeys(value, ['k', 'of'], at, bad);
      checkItems(value.of, `${at}.of`, 'of', bad, depth);
      const n = Array.isArray(value.of) ? value.of.length : 0;
      if (n > MAX_OF)
        bad(`${at}.of`, `${n} conditions, at most ${MAX_OF} are allowed`, 'group some of them under "any"');
      if (!Number.isInteger(value.k) || (value.k as number) < 1 || (value.k as number) > n) {
        bad(
          `${at}.k`,
          `expected a whole number from 1 to ${n}, found ${show(value.k)}`,
          `"k": ${Math.min(2, Math.max(1, n))}`,
        );
      }
    }
  }
}

function checkItems(items: unknown, path: string, gate: string, bad: Reporter, depth: number): void {
  if (!Array.isArray(items)) {
    bad(path, `"${gate}" takes a list, found ${kindOf(items)}`, `"${gate}": [ … ]`);
    return;
  }
  if (items.length === 0) bad(path, `an empty "${gate}" would always hold`, 'put a condition in it or remove it');
  items.forEach((item, i) => {
    checkCondition(item, `${path}[${i}]`, bad, depth + 1);
  });
}

function checkLeaf(leaf: Json, path: string, bad: Reporter): void {
  const keys = Object.keys(leaf);
  for (const key of keys.filter((k) => !LEAF_KEYS.includes(k))) {
    const near = nearestName(key, [...LEAF_KEYS, ...GATES]);
    const known = ['path', 'params', 'priority', 'name'].includes(key);
    bad(
      `${path}.${key}`,
      known ? `"${key}" of json-rules-engine is not supported here` : `unknown key "${key}"`,
      known || near === undefined ? `remove "${key}"` : `did you mean "${near}"?`,
    );
  }
  for (const key of LEAF_KEYS.filter((k) => !(k in leaf))) {
    bad(`${path}.${key}`, `"${key}" is missing`, 'a leaf is { "fact": …, "operator": …, "value": … }');
  }
  for (const key of ['fact', 'operator'] as const) {
    if (key in leaf && typeof leaf[key] !== 'string') {
      bad(`${path}.${key}`, `expected a name, found ${kindOf(leaf[key])}`, `"${key}": "…"`);
    }
  }
}

function checkKeys(json: Json, known: readonly string[], path: string, bad: Reporter): void {
  for (const key of Object.keys(json).filter((k) => !known.includes(k))) {
    const near = nearestName(key, known);
    bad(
      `${path}.${key}`,
      `unknown key "${key}"`,
      near === undefined ? `known keys: ${known.join(', ')}` : `did you mean "${near}"?`,
    );
  }
}

function checkText(json: Json, key: string, path: string, bad: Reporter, pattern?: RegExp, what?: string): void {
  const value = json[key];
  if (typeof value !== 'string' || value === '') {
    bad(`${path}.${key}`, `expected text, found ${show(value)}`, `add "${key}": "…"`);
  } else if (pattern !== undefined && !pattern.test(value)) {
    bad(`${path}.${key}`, `"${value}" is not allowed`, `use ${what ?? String(pattern)}`);
  }
}

function checkNumber(value: unknown, path: string, min: number, max: number, bad: Reporter): void {
  if (typeof value !== 'number' || !Number.isFinite(value) || value < min || value > max) {
    bad(path, `expected a number from ${min} to ${max}, found ${show(value)}`, 'write the number without quotes');
  }
}

function checkEnum(value: unknown, path: string, known: readonly string[], bad: Reporter): void {
  if (typeof value === 'string' && known.includes(value)) return;
  const near = typeof value === 'string' ? nearestName(value, known) : undefined;
  bad(
    path,
    `expected one of ${known.join(', ')}, found ${show(value)}`,
    near === undefined ? `"${known[0]}"` : `did you mean "${near}"?`,
  );
}

function checkList(value: unknown, path: string, known: readonly string[], bad: Reporter): void {
  if (!Array.isArray(value) || value.length === 0) {
    bad(path, `expected a list with one or more of ${known.join(', ')}, found ${show(value)}`, `["${known[0]}"]`);
    return;
  }
  value.forEach((item, i) => {
    checkEnum(item, `${path}[${i}]`, known, bad);
  });
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function kindOf(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  return Array.isArray(value) ? 'a list' : `a${/^[aeiou]/.test(typeof value) ? 'n' : ''} ${typeof value}`;
}

function show(value: unknown): string {
  return value === undefined ? 'nothing' : JSON.stringify(value);
}
