/**
 * Truth tables beside the rules: `*.test.json`, each case a suspect, the facts that are known, and the class expected.
 * Facts that a case does not name are unknown. A rule that no case expects is untested, and that is a failure too.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Entity, EntityKind } from '../model/entity.ts';
import { compareNames, ENTITY_KINDS, edge } from '../model/entity.ts';
import { nearestName } from '../model/nearest.ts';
import type { FactValue } from '../model/verdict.ts';
import { decide } from './classify.ts';
import { compileTree } from './compile.ts';
import { factDefinition, factNames } from './fact-catalogue.ts';
import type { FactSheet } from './fact-sheet.ts';
import { parseJson } from './json-text.ts';
import type { FaultTree, RuleProblem } from './types.ts';

export interface TruthCase {
  readonly name: string;
  readonly suspect: EntityKind;
  readonly facts: Readonly<Record<string, FactValue>>;
  /** Fault class, `unknown` included. */
  readonly expect: string;
  /** Id of the rule that must win. */
  readonly rule?: string;
  /** Classes that must be among the excluded ones. */
  readonly excludes?: readonly string[];
  /** Classes that must be neither proved nor excluded. */
  readonly undecided?: readonly string[];
  readonly minConfidence?: number;
  readonly maxConfidence?: number;
}

export interface TruthResult {
  readonly file: string;
  readonly name: string;
  readonly ok: boolean;
  readonly message: string;
}

export interface TruthTables {
  readonly results: readonly TruthResult[];
  /** Rules that no case expects to win. */
  readonly untested: readonly string[];
  /** Cases that cannot be run: wrong shape, unknown facts. */
  readonly problems: readonly RuleProblem[];
}

const CASE_KEYS = [
  'name',
  'suspect',
  'facts',
  'expect',
  'rule',
  'excludes',
  'undecided',
  'minConfidence',
  'maxConfidence',
];

/** Runs every truth table of a folder against a tree. */
export async function runTruthTables(dir: string, tree: FaultTree): Promise<TruthTables> {
  const compiled = compileTree(tree);
  const problems: RuleProblem[] = [];
  const results: TruthResult[] = [];
  const won = new Set<string>();
  for (const { file, cases } of readTables(dir, problems)) {
    for (const test of cases) {
      const sheet: FactSheet = new Map(
        Object.entries(test.facts).map(([name, value]) => [name, { value, onsetMs: null, witness: null }]),
      );
      const decision = await decide(sheet, entityOf(test.suspect), compiled, undefined);
      const rule = decision.winner?.rule;
      if (rule !== undefined && rule.class === test.expect && (test.rule === undefined || test.rule === rule.id)) {
        won.add(rule.id);
      }
      const faults: string[] = [];
      if ((rule?.class ?? 'unknown') !== test.expect || (test.rule !== undefined && rule?.id !== test.rule)) {
        const why = decision.excluded.find((e) => e.faultClass === test.expect)?.reason;
        const open = decision.undecided.find((e) => e.faultClass === test.expect)?.reason;
        faults.push(
          `expected ${test.expect}${test.rule === undefined ? '' : ` by ${test.rule}`}, found ${rule === undefined ? 'unknown' : `${rule.class} by ${rule.id}`}${why === undefined ? '' : `; excluded: ${why}`}${open === undefined ? '' : `; undecided: ${open}`}`,
        );
      }
      for (const [wanted, list, word] of [
        [test.excludes ?? [], decision.excluded, 'excluded'],
        [test.undecided ?? [], decision.undecided, 'undecided'],
      ] as const) {
        const absent = wanted.filter((name) => !list.some((e) => e.faultClass === name));
        if (absent.length > 0) faults.push(`expected ${absent.join(', ')} to be ${word}`);
      }
      const confidence = decision.winner?.confidence ?? 0;
      if (confidence < (test.minConfidence ?? 0) || confidence > (test.maxConfidence ?? 1)) {
        faults.push(`confidence ${confidence} is out of [${test.minConfidence ?? 0}, ${test.maxConfidence ?? 1}]`);
      }
      results.push({ file, name: test.name, ok: faults.length === 0, message: faults.join('; ') });
    }
  }
  const untested = tree.families
    .flatMap((family) => family.rules.map((rule) => rule.id))
    .filter((id) => !won.has(id))
    .sort(compareNames);
  return { results, untested, problems };
}

function entityOf(kind: EntityKind): Entity {
  return kind === 'edge' ? edge('a', 'b') : { kind, name: 'a' };
}

function readTables(dir: string, problems: RuleProblem[]): { file: string; cases: TruthCase[] }[] {
  if (!existsSync(dir)) return [];
  const files = readdirSync(dir).filter((name) => name.endsWith('.test.json'));
  return files.sort(compareNames).map((file) => {
    const { value, problems: textProblems } = parseJson(readFileSync(join(dir, file), 'utf8'));
    problems.push(...textProblems.map((problem) => ({ file, ...problem })));
    const list = (value as { readonly cases?: unknown } | undefined)?.cases;
    if (value !== undefined && !Array.isArray(list)) {
      problems.push({ file, path: '$.cases', message: 'expected a list of cases', mend: '{ "cases": [ … ] }' });
    }
    const cases = Array.isArray(list) ? (list as unknown[]) : [];
    return {
      file,
      cases: cases.filter((item, i): item is TruthCase => checkCase(item, `$.cases[${i}]`, file, problems)),
    };
  });
}

function checkCase(item: unknown, path: string, file: string, problems: RuleProblem[]): boolean {
  const before = problems.length;
  const bad = (at: string, message: string, mend: string): void => {
    problems.push({ file, path: at, message, mend });
  };
  const test = (typeof item === 'object' && item !== null ? item : {}) as Readonly<Record<string, unknown>>;
  for (const key of Object.keys(test).filter((k) => !CASE_KEYS.includes(k))) {
    bad(`${path}.${key}`, `unknown key "${key}"`, `known keys: ${CASE_KEYS.join(', ')}`);
  }
  if (typeof test.name !== 'string') bad(`${path}.name`, 'a case needs a name', 'add "name"');
  if (!ENTITY_KINDS.includes(test.suspect as EntityKind)) {
    bad(`${path}.suspect`, `expected one of ${ENTITY_KINDS.join(', ')}`, 'add "suspect"');
  }
  if (typeof test.expect !== 'string') bad(`${path}.expect`, 'a case needs the class it expects', 'add "expect"');
  if (typeof test.facts !== 'object' || test.facts === null) {
    bad(`${path}.facts`, 'a case needs facts', 'add "facts": { … }');
    return false;
  }
  for (const [name, value] of Object.entries(test.facts as Readonly<Record<string, unknown>>)) {
    const fact = factDefinition(name);
    const near = fact === undefined ? nearestName(name, factNames()) : undefined;
    if (fact === undefined) {
      bad(
        `${path}.facts.${name}`,
        `there is no fact "${name}"`,
        near === undefined ? 'see docs/rules.md' : `did you mean "${near}"?`,
      );
    } else if (value !== null && (fact.type === 'list' ? !Array.isArray(value) : typeof value !== fact.type)) {
      bad(`${path}.facts.${name}`, `${name} is a ${fact.type}`, `write a ${fact.type}, or null for unknown`);
    }
  }
  return problems.length === before;
}
