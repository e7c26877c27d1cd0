/** Classification: suspects through the fault tree to verdicts. The public face of the stage. */
export { classify, classifyFurther } from './classify.ts';
export { explainReport } from './explain-report.ts';
export { FACT_PATTERNS, FACTS } from './fact-catalogue.ts';
export type { FactDefinition, FactPattern } from './fact-definition.ts';
export { factsOf } from './facts.ts';
export { checkRules, loadRules } from './load-rules.ts';
export { createRuleSet, describeProblems } from './rule-set.ts';
export type { TruthTables } from './truth-table.ts';
export { runTruthTables } from './truth-table.ts';
export type { Condition, FaultTree, LoadResult, Rule, RuleProblem, RuleSet } from './types.ts';
