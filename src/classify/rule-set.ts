/** The fault tree in force. */
import { RcaError } from '../model/errors.ts';
import type { CompiledTree } from './compile.ts';
import { compileTree } from './compile.ts';
import { loadRules } from './load-rules.ts';
import type { RuleProblem, RuleSet } from './types.ts';

interface InForce {
  readonly compiled: CompiledTree;
}

const COMPILED = new WeakMap<RuleSet, () => CompiledTree>();

/**
 * Loads the rules of a folder.
 * @throws {RcaError} RCA_BAD_RULE listing every problem with file, path and mend
 */
export function createRuleSet(dir: string): RuleSet {
  const first = loadRules(dir);
  if (!first.ok) {
    throw new RcaError('RCA_BAD_RULE', `the rules in ${dir} are not valid:\n${describeProblems(first.problems)}`, {
      problems: first.problems,
    });
  }
  let inForce: InForce = { compiled: compileTree(first.tree) };
  const ruleSet: RuleSet = {
    dir,
    tree: () => inForce.compiled.tree,
    hash: () => inForce.compiled.tree.hash,
    reload() {
      const next = loadRules(dir);
      if (!next.ok) return next.problems;
      inForce = { compiled: compileTree(next.tree) };
      return [];
    },
  };
  COMPILED.set(ruleSet, () => inForce.compiled);
  return ruleSet;
}

/** The compiled tree in force at this moment; one classification uses one tree, whatever is reloaded meanwhile. */
export function compiledOf(ruleSet: RuleSet): CompiledTree {
  return COMPILED.get(ruleSet)?.() ?? compileTree(ruleSet.tree());
}

export function describeProblems(problems: readonly RuleProblem[]): string {
  return problems.map((p) => `  ${p.file} ${p.path}: ${p.message}; ${p.mend}`).join('\n');
}
