/** Evaluated conditions in words: the leaves of a condition with their values, and why a condition does not hold. */
import { factWords, valueWords } from '../model/fact-words.ts';
import { formatValue } from '../model/format.ts';
import type { ConditionRole, EvaluatedCondition, Evidence3, FactValue } from '../model/verdict.ts';
import type { TreeResults } from './compile.ts';
import { childPath } from './compile.ts';
import { factDefinition } from './fact-catalogue.ts';
import type { FactSheet } from './fact-sheet.ts';
import { OPERATOR_WORDS } from './operators.ts';
import type { Condition, FaultTree, Leaf } from './types.ts';

export interface ExplainContext {
  readonly tree: FaultTree;
  readonly results: TreeResults;
  readonly sheet: FactSheet;
}

/** A leaf where it stands in a condition. */
export interface PlacedLeaf {
  readonly leaf: Leaf;
  readonly path: string;
  /** Under an odd number of `not`: it speaks for the rule when it is absent. */
  readonly negated: boolean;
}

export function leavesOf(condition: Condition, path: string, tree: FaultTree, negated = false): PlacedLeaf[] {
  if ('fact' in condition) return [{ leaf: condition, path, negated }];
  const flip = 'not' in condition ? !negated : negated;
  return childrenOf(condition, tree).flatMap((item, i) => leavesOf(item, childPath(path, i), tree, flip));
}

export function childrenOf(condition: Condition, tree: FaultTree): readonly Condition[] {
  if ('all' in condition) return condition.all;
  if ('any' in condition) return condition.any;
  if ('not' in condition) return [condition.not];
  if ('atLeast' in condition) return condition.atLeast.of;
  if ('condition' in condition) {
    const target = tree.conditions[condition.condition];
    return target === undefined ? [] : [target];
  }
  return [];
}

export function factValue(sheet: FactSheet, name: string): FactValue {
  const detail = sheet.get(name);
  if (detail !== undefined) return detail.value;
  // A kernel drop reason nobody saw is zero when drops were reported at all.
  const drops = 'edge.drops_rise_per_s';
  if (name.startsWith(`${drops}.`) && typeof sheet.get(drops)?.value === 'number') return 0;
  return null;
}

export function evaluated(placed: PlacedLeaf, role: ConditionRole, context: ExplainContext): EvaluatedCondition {
  const { leaf, path } = placed;
  const value = factValue(context.sheet, leaf.fact);
  const onsetMs = context.sheet.get(leaf.fact)?.onsetMs ?? null;
  const unit = factDefinition(leaf.fact)?.unit ?? '';
  return {
    fact: leaf.fact,
    operator: leaf.operator,
    expected: leaf.value,
    actual: typeof value === 'object' && value !== null ? value.join(', ') : value,
    result: context.results.evidence(path),
    text: leafText(leaf, value, placed.negated ? 'negated' : context.results.evidence(path) !== 'absent'),
    role,
    ...(unit === '' ? {} : { unit }),
    ...(onsetMs === null ? {} : { onsetMs }),
  };
}

/** `rise of the retransmit ratio 4.2 % (> 1 %)`; what does not hold says what it would have needed. */
export function leafText(leaf: Leaf, value: FactValue, holds: boolean | 'negated' = true): string {
  const unit = factDefinition(leaf.fact)?.unit ?? '';
  const expected =
    typeof leaf.value === 'object' && 'fact' in leaf.value
      ? factWords(leaf.value.fact)
      : (valueWords(leaf.fact, leaf.value) ?? show(leaf.value as FactValue, unit));
  const wanted = `${OPERATOR_WORDS[leaf.operator] ?? leaf.operator} ${expected}`;
  // A flag or a name that holds says so by itself.
  const plain = holds === true && (typeof value === 'boolean' || typeof value === 'string');
  const found = valueWords(leaf.fact, value) ?? show(value, unit);
  return `${factWords(leaf.fact)}: ${found}${plain ? '' : ` (${holds === true ? '' : holds === false ? 'needs ' : 'not '}${wanted})`}`;
}

export function show(value: FactValue, unit: string): string {
  if (value === null) return 'unknown';
  if (typeof value === 'number') return formatValue(value, unit);
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (typeof value === 'string') return value.length > 80 ? `${value.slice(0, 77)}…` : value;
  return value.length === 0 ? 'none' : value.slice(0, 6).join(', ');
}

/** Why a condition has the result it has: the texts of the leaves that decide it, at most `limit`. */
export function because(
  condition: Condition,
  path: string,
  result: Evidence3,
  context: ExplainContext,
  limit = 2,
): string[] {
  if ('fact' in condition) {
    return [leafText(condition, factValue(context.sheet, condition.fact), result !== 'absent')];
  }
  const children = childrenOf(condition, context.tree).map((item, i) => ({ item, path: childPath(path, i) }));
  const wanted: Evidence3 = 'not' in condition ? invert(result) : result;
  const deciding = children.filter((child) => context.results.evidence(child.path) === wanted);
  const texts = deciding.flatMap((child) => because(child.item, child.path, wanted, context, limit));
  // An absent `all` needs one reason; an absent `any` all of them, shown up to the limit.
  const enough = result === 'absent' && 'all' in condition ? 1 : limit;
  return [...new Set(texts)].slice(0, enough);
}

function invert(result: Evidence3): Evidence3 {
  return result === 'present' ? 'absent' : result === 'absent' ? 'present' : 'unknown';
}

/** Facts that leave a condition unknown, sorted. */
export function unknownFacts(condition: Condition, path: string, context: ExplainContext): string[] {
  const leaves = leavesOf(condition, path, context.tree);
  const unknown = leaves.filter(({ path: at }) => context.results.evidence(at) === 'unknown');
  return [...new Set(unknown.map(({ leaf }) => leaf.fact))].sort();
}
