/** The tree evaluated on the facts a report carries: every condition with its value, and what another tree would say. */
import { RcaError } from '../model/errors.ts';
import type { Report } from '../model/report.ts';
import type { Evidence3, FactValue } from '../model/verdict.ts';
import { decide } from './classify.ts';
import type { CompiledTree, TreeResults } from './compile.ts';
import { childPath, compileTree, excludePath, familyPath, needsPath, supportPath } from './compile.ts';
import { childrenOf, factValue, leafText } from './explain.ts';
import { FACTS } from './fact-catalogue.ts';
import type { FactSheet } from './fact-sheet.ts';
import type { Condition, FaultTree } from './types.ts';

const MARKS: Readonly<Record<Evidence3, string>> = { present: 'yes', absent: 'no ', unknown: '?  ' };

/**
 * Lines of text for one cause of a report. Onsets are not stored, so evidence that came too late is not excluded here.
 * @throws {RcaError} RCA_BAD_INPUT when the report has no such cause or the cause carries no facts
 */
export async function explainReport(report: Report, rank: number, tree: FaultTree): Promise<string[]> {
  const cause = report.causes.find((c) => c.rank === rank);
  if (cause === undefined) {
    const ranks = report.causes.map((each) => each.rank).join(', ');
    throw new RcaError(
      'RCA_BAD_INPUT',
      `the report has no cause ${rank}; its causes: ${ranks === '' ? 'none' : ranks}`,
    );
  }
  if (cause.facts === undefined) {
    throw new RcaError('RCA_BAD_INPUT', `cause ${rank} carries no facts: only the first causes of a stored report do`);
  }
  const sheet: FactSheet = new Map(FACTS.map(({ name }) => [name, { value: null, onsetMs: null, witness: null }]));
  for (const [name, value] of Object.entries(cause.facts)) sheet.set(name, { value, onsetMs: null, witness: null });
  const compiled = compileTree(tree);
  const suspect = cause.suspects[0] ?? cause.entity;
  const decision = await decide(sheet, suspect, compiled, undefined);
  const results = await compiled.run((name): FactValue => factValue(sheet, name));
  const now = decision.winner?.rule;
  const lines = [
    `incident ${report.incidentId}, report ${report.id}, cause ${rank}: ${suspect.kind} ${suspect.name}`,
    `reported:    ${cause.faultClass}${cause.ruleId === undefined ? '' : ` (${cause.ruleId})`}, confidence ${cause.confidence}, rules ${report.rulesHash}`,
    `these rules: ${now === undefined ? 'unknown' : `${now.class} (${now.id})`}, confidence ${decision.winner?.confidence ?? 0}, rules ${tree.hash}`,
  ];
  for (const family of tree.families) {
    const rules = family.rules.filter((rule) => rule.appliesTo.includes(suspect.kind));
    if (rules.length === 0) continue;
    lines.push('', family.title);
    if (family.when !== undefined)
      lines.push(...show(family.when, familyPath(family.id), 'when', 1, compiled, results, sheet));
    for (const rule of rules) {
      lines.push(`  ${rule.id === now?.id ? '=> ' : ''}${rule.id} (${rule.class})`);
      lines.push(...show(rule.needs, needsPath(rule), 'needs', 2, compiled, results, sheet));
      rule.excludes.forEach(({ when, reason }, i) => {
        lines.push(...show(when, excludePath(rule, i), `excluded if ${reason}`, 2, compiled, results, sheet));
      });
      rule.supports.forEach(({ when, weight }, i) => {
        lines.push(...show(when, supportPath(rule, i), `adds ${weight}`, 2, compiled, results, sheet));
      });
    }
  }
  return lines;
}

function show(
  condition: Condition,
  path: string,
  label: string,
  depth: number,
  compiled: CompiledTree,
  results: TreeResults,
  sheet: FactSheet,
): string[] {
  const head = `${'  '.repeat(depth)}${MARKS[results.evidence(path)]} ${label === '' ? '' : `${label}: `}`;
  if ('fact' in condition)
    return [`${head}${leafText(condition, factValue(sheet, condition.fact), results.evidence(path) !== 'absent')}`];
  const children = childrenOf(condition, compiled.tree);
  return [
    `${head}${gateWords(condition)}`,
    ...children.flatMap((item, i) => show(item, childPath(path, i), '', depth + 1, compiled, results, sheet)),
  ];
}

function gateWords(condition: Condition): string {
  if ('all' in condition) return 'all of';
  if ('any' in condition) return 'any of';
  if ('not' in condition) return 'not';
  if ('atLeast' in condition) return `at least ${condition.atLeast.k} of ${condition.atLeast.of.length}`;
  return 'condition' in condition ? condition.condition : '';
}
