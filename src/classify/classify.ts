/** Facts of a suspect through the fault tree to a verdict. A function of its input and the tree. */
import { comparedSince } from '../model/compared.ts';
import type { Comparison } from '../model/comparison.ts';
import type { Entity } from '../model/entity.ts';
import { compareNames, instance, machine, service } from '../model/entity.ts';
import { factWords } from '../model/fact-words.ts';
import { formatSeconds } from '../model/format.ts';
import type { EvaluatedCondition, Excluded, FactValue, Verdict } from '../model/verdict.ts';
import type { Walk } from '../model/walk.ts';
import type { CompiledTree } from './compile.ts';
import { excludePath, familyPath, needsPath, supportPath } from './compile.ts';
import type { ExplainContext } from './explain.ts';
import { because, evaluated, factValue, leavesOf, unknownFacts } from './explain.ts';
import type { FactSheet } from './fact-sheet.ts';
import type { SuspectFacts } from './facts.ts';
import { factsOf } from './facts.ts';
import { metSinceMs } from './met-since.ts';
import { compiledOf } from './rule-set.ts';
import type { Scope } from './scope.ts';
import type { Condition, Family, Rule, RuleSet } from './types.ts';

/** Evidence that starts later than this after the symptom cannot be its cause: two windows, the resolution of onsets. */
const ONSET_TOLERANCE_WINDOWS = 2;

const RANK = { state: 3, resource: 2, symptom: 1 } as const;

interface Fired {
  readonly rule: Rule;
  readonly confidence: number;
  readonly evidence: readonly EvaluatedCondition[];
  readonly missing: readonly string[];
  readonly onsetMs: number | null;
}

type Outcome =
  | { readonly kind: 'fired'; readonly fired: Fired }
  | { readonly kind: 'excluded'; readonly excluded: Excluded }
  | { readonly kind: 'gated'; readonly excluded: Excluded }
  | { readonly kind: 'undecided'; readonly excluded: Excluded; readonly missing: readonly string[] };

/**
 * One verdict per suspect, in the walk's order. `unknown` is a verdict: it says what was excluded and what is missing.
 * Cost: O(suspects · (rows of the comparison + nodes of the tree)).
 */
export async function classify(comparison: Comparison, walk: Walk, ruleSet: RuleSet): Promise<Verdict[]> {
  const compiled = compiledOf(ruleSet);
  const verdicts: Verdict[] = [];
  for (const suspect of walk.suspects) {
    verdicts.push(await verdictOf(factsOf(comparison, walk, suspect), compiled));
  }
  return verdicts;
}

/**
 * The same for each further walk, in their order.
 * @param steps  the evidence of walks from what began later
 */
export async function classifyFurther(
  comparison: Comparison,
  walk: Walk,
  ruleSet: RuleSet,
  steps: readonly Comparison[] = [],
): Promise<Verdict[][]> {
  const verdicts: Verdict[][] = [];
  for (const one of walk.further ?? []) {
    const evidence = comparedSince(comparison, steps, one.compared?.current.fromMs);
    verdicts.push(await classify(evidence, one, ruleSet));
  }
  return verdicts;
}

/** The verdict on facts already at hand. */
export async function verdictOf(facts: SuspectFacts, compiled: CompiledTree): Promise<Verdict> {
  const { scope, sheet } = facts;
  const toleranceMs = ONSET_TOLERANCE_WINDOWS * scope.comparison.windowMs;
  const decision = await decide(sheet, scope.entity, compiled, { symptomMs: scope.symptomMs, toleranceMs });
  const known = Object.fromEntries(
    [...sheet].filter(([, detail]) => detail.value !== null).map(([name, detail]) => [name, detail.value]),
  );
  const { winner } = decision;
  if (winner === undefined) {
    return {
      suspect: scope.entity,
      faultClass: 'unknown',
      title: 'No rule of the fault tree fits',
      confidence: 0,
      evidence: [],
      excluded: decision.excluded,
      missing: decision.missing,
      undecided: decision.undecided,
      remedy: 'remedies/unknown.md',
      facts: known,
    };
  }
  const blames = blamed(winner, scope, sheet);
  return {
    suspect: scope.entity,
    faultClass: winner.rule.class,
    ruleId: winner.rule.id,
    title: fill(winner.rule.title, scope, sheet, blames),
    confidence: winner.confidence,
    evidence: winner.evidence,
    excluded: decision.excluded,
    missing: winner.missing,
    remedy: `remedies/${winner.rule.class}.md`,
    ...(blames === undefined ? {} : { blames }),
    ...(winner.rule.defers ? { defers: true } : {}),
    ...(winner.rule.summary === undefined ? {} : { summary: fill(winner.rule.summary, scope, sheet, blames) }),
    checks: winner.rule.checks.map((check) => fill(check, scope, sheet, blames)),
    ...(winner.onsetMs === null ? {} : { onsetMs: winner.onsetMs }),
    facts: known,
    undecided: decision.undecided,
  };
}

export interface Decision {
  readonly winner: Fired | undefined;
  readonly excluded: readonly Excluded[];
  readonly undecided: readonly Excluded[];
  readonly missing: readonly string[];
}

/** Evaluates every rule for the kind of entity and picks the winner: rank, then priority, then confidence, then id. */
export async function decide(
  sheet: FactSheet,
  entity: Entity,
  compiled: CompiledTree,
  timing: { readonly symptomMs: number; readonly toleranceMs: number } | undefined,
): Promise<Decision> {
  const { tree } = compiled;
  const results = await compiled.run((name): FactValue => factValue(sheet, name));
  const context: ExplainContext = { tree, results, sheet };
  const fired: Fired[] = [];
  const excluded: Excluded[] = [];
  const gated: Excluded[] = [];
  const undecided: Excluded[] = [];
  const missing = new Set<string>();
  for (const family of tree.families) {
    for (const rule of family.rules.filter((r) => r.appliesTo.includes(entity.kind))) {
      const outcome = judge(rule, family, context, timing);
      if (outcome.kind === 'fired') fired.push(outcome.fired);
      else if (outcome.kind === 'gated') gated.push(outcome.excluded);
      else if (outcome.kind === 'excluded') excluded.push(outcome.excluded);
      else {
        undecided.push(outcome.excluded);
        for (const fact of outcome.missing) missing.add(fact);
      }
    }
  }
  fired.sort(
    (a, b) =>
      RANK[b.rule.rank] - RANK[a.rule.rank] ||
      b.rule.priority - a.rule.priority ||
      b.confidence - a.confidence ||
      compareNames(a.rule.id, b.rule.id),
  );
  const [winner, ...others] = fired;
  const outranked = others.map(({ rule }) => ({
    faultClass: rule.class,
    ruleId: rule.id,
    reason: `its evidence is there too, but ${winner?.rule.class} outranks it`,
  }));
  // A class is said once: as the verdict, as outranked, as undecided, or as excluded.
  const said = new Set(winner === undefined ? [] : [winner.rule.class]);
  const fits = oncePerClass(outranked, said);
  const open = oncePerClass(undecided, said);
  const out = oncePerClass([...excluded, ...gated], said);
  return { winner, excluded: [...fits, ...out], undecided: open, missing: [...missing].sort(compareNames) };
}

/** What is needed and supports as well is told once, as needed; so is one number against two thresholds on one side. */
function oncePerFact(evidence: readonly EvaluatedCondition[]): EvaluatedCondition[] {
  const said = new Set<string>();
  return evidence.filter(({ fact, operator, result, expected }) => {
    const key = `${fact} ${operator} ${result}${typeof expected === 'number' ? '' : ` ${JSON.stringify(expected)}`}`;
    return !said.has(key) && said.add(key) !== undefined;
  });
}

function oncePerClass(entries: readonly Excluded[], said: Set<string>): Excluded[] {
  return entries.filter(({ faultClass }) => {
    if (said.has(faultClass)) return false;
    said.add(faultClass);
    return true;
  });
}

function judge(
  rule: Rule,
  family: Family,
  context: ExplainContext,
  timing: { readonly symptomMs: number; readonly toleranceMs: number } | undefined,
): Outcome {
  const { results, tree, sheet } = context;
  const exclude = (reason: string): Outcome => ({
    kind: 'excluded',
    excluded: { faultClass: rule.class, ruleId: rule.id, reason },
  });
  if (family.when !== undefined) {
    const path = familyPath(family.id);
    if (results.evidence(path) === 'absent') {
      const reason = because(family.when, path, 'absent', context).join('; ');
      return { kind: 'gated', excluded: { faultClass: rule.class, ruleId: rule.id, reason } };
    }
  }
  const path = needsPath(rule);
  const needs = results.evidence(path);
  if (needs === 'absent') return exclude(because(rule.needs, path, 'absent', context).join('; '));
  const lateMs = (condition: Condition, at: string): number | undefined => {
    const since = metSinceMs(condition, at, context);
    if (timing === undefined || since === null || since <= timing.symptomMs + timing.toleranceMs) return undefined;
    return since - timing.symptomMs;
  };
  // What came late enough to be a consequence, or the mend, excludes no cause.
  const hit = rule.excludes.findIndex(({ when }, i) => {
    const at = excludePath(rule, i);
    return results.evidence(at) === 'present' && lateMs(when, at) === undefined;
  });
  const against = rule.excludes[hit];
  if (against !== undefined) {
    const why = because(against.when, excludePath(rule, hit), 'present', context).join('; ');
    return exclude(`${against.reason}: ${why}`);
  }
  if (needs === 'unknown') {
    const facts = unknownFacts(rule.needs, path, context);
    return {
      kind: 'undecided',
      excluded: { faultClass: rule.class, ruleId: rule.id, reason: `not known: ${facts.map(factWords).join(', ')}` },
      missing: facts,
    };
  }
  const needed = leavesOf(rule.needs, path, tree).map((placed) => ({
    placed,
    at: evaluated(placed, 'needs', context),
  }));
  const speaking = needed.filter(({ placed, at }) => at.result === (placed.negated ? 'absent' : 'present'));
  const onsets = speaking.filter(({ placed }) => !placed.negated).flatMap(({ at }) => at.onsetMs ?? []);
  const onsetMs = onsets.length === 0 ? null : Math.min(...onsets);
  const late = lateMs(rule.needs, path);
  if (late !== undefined) return exclude(`its evidence starts ${formatSeconds(late / 1000)} after the symptom`);
  const missing = new Set<string>();
  let unknownExcludes = 0;
  rule.excludes.forEach(({ when }, i) => {
    if (results.evidence(excludePath(rule, i)) !== 'unknown') return;
    unknownExcludes++;
    for (const fact of unknownFacts(when, excludePath(rule, i), context)) missing.add(fact);
  });
  let weight = rule.confidence;
  const supporting: EvaluatedCondition[] = [];
  rule.supports.forEach((support, i) => {
    const at = supportPath(rule, i);
    const result = results.evidence(at);
    if (result === 'present') weight += support.weight;
    if (result === 'unknown') for (const fact of unknownFacts(support.when, at, context)) missing.add(fact);
    if (result === 'absent') return;
    // Of several ways to support, those that do, or might.
    for (const placed of leavesOf(support.when, at, tree)) {
      const one = evaluated(placed, 'supports', context);
      if (one.result !== (placed.negated ? 'present' : 'absent')) supporting.push(one);
    }
  });
  return {
    kind: 'fired',
    fired: {
      rule,
      confidence: confidenceOf(weight, unknownExcludes, sheet),
      evidence: oncePerFact([...speaking.map(({ at }) => at), ...supporting]),
      missing: [...missing].sort(compareNames),
      onsetMs,
    },
  };
}

/**
 * base + weights of present supports, in [0.05, 0.99]; × 0.95 for each exclusion that could not be checked; × (1 − loss)
 * above 1 % of events lost; × 0.7 when the suspect's own collector fell silent. Rounded to three digits.
 */
function confidenceOf(weight: number, unknownExcludes: number, sheet: FactSheet): number {
  let confidence = Math.min(0.99, Math.max(0.05, weight)) * 0.95 ** unknownExcludes;
  const lost = sheet.get('telemetry.lost_ratio')?.value;
  if (typeof lost === 'number' && lost > 0.01) confidence *= 1 - Math.min(0.5, lost);
  if (sheet.get('telemetry.suspect_silent')?.value === true) confidence *= 0.7;
  return Math.round(confidence * 1000) / 1000;
}

/** Its witness is the neighbour. */
const NEIGHBOUR_FACT = 'machine.neighbour_cpu_rise_cores';

/** The entity at fault when it is not the suspect itself. */
function blamed(winner: Fired, scope: Scope, sheet: FactSheet): Entity | undefined {
  const { rule } = winner;
  const { entity, comparison } = scope;
  const callee = entity.kind === 'edge' && entity.to !== undefined ? namedEntity(comparison, entity.to) : undefined;
  if (rule.blames === 'callee') return callee;
  if (rule.blames === 'caller')
    return entity.kind === 'edge' && entity.from !== undefined ? namedEntity(comparison, entity.from) : undefined;
  if (rule.blames === 'worst_callee' || rule.blames === 'slow_callee' || rule.blames === 'resolver') {
    const worst = sheet.get(`out.${rule.blames}`)?.value;
    return typeof worst === 'string' ? namedEntity(comparison, worst) : undefined;
  }
  if (rule.blames === 'instance' || rule.blames === 'machine') {
    const proof = winner.evidence.filter(
      ({ fact, result }) => fact.startsWith(`${rule.blames}.`) && result === 'present',
    );
    const shown = proof.flatMap(({ fact }) => sheet.get(fact) ?? []).filter((detail) => detail.witness !== null);
    const witnesses = shown.flatMap(({ witness }) => witness ?? []);
    if (rule.blames === 'machine') {
      // The witness of a fact of a machine may be what runs there: a neighbour is not the machine.
      const found = witnesses.map((name) => machineOf(scope, name)).find((name) => name !== undefined);
      return found === undefined || found === entity.name ? undefined : machine(found);
    }
    const witness = witnesses[0] ?? null;
    if (entity.kind === 'instance') return undefined;
    const siblings = new Set(
      comparison.topology.partOf.filter(([, name]) => name === scope.service).map(([name]) => name),
    );
    if (witness === null || siblings.size <= 1) return callee;
    // What most of them show is the service's: a quota, a limit, a version that all have.
    const alike = shown[0]?.alike ?? [];
    return 1 + alike.length > siblings.size / 2 ? callee : instance(witness);
  }
  return undefined;
}

/** The machine of that name, or the one an instance of that name runs on. */
function machineOf({ comparison, machineNames }: Scope, name: string): string | undefined {
  if (machineNames.has(name)) return name;
  const own = comparison.resources.find(({ entity }) => entity === name)?.machine;
  return own ?? comparison.topology.runsOn.find(([instance]) => instance === name)?.[1];
}

function namedEntity(comparison: Comparison, name: string): Entity {
  const { partOf, runsOn } = comparison.topology;
  if (partOf.some(([, s]) => s === name) || comparison.calls.some((leaf) => leaf.callee === name)) return service(name);
  if (partOf.some(([i]) => i === name)) return instance(name);
  return runsOn.some(([, m]) => m === name) ? machine(name) : service(name);
}

/** Puts `{suspect}`, `{callee}`, `{caller}`, `{blamed}`, `{neighbour}` and `{fact.name}` into a sentence. */
function fill(text: string, scope: Scope, sheet: FactSheet, blames: Entity | undefined): string {
  return ofOneEnd(text, scope.entity).replace(/\{([\w.]+)\}/g, (whole, name: string) => {
    if (name === 'suspect') return scope.entity.name;
    if (name === 'blamed') return (blames ?? scope.entity).name;
    if (name === 'neighbour') return sheet.get(NEIGHBOUR_FACT)?.witness ?? 'a neighbour';
    if (name === 'service') return scope.service ?? scope.entity.name;
    if (name === 'callee') return scope.entity.to ?? scope.entity.name;
    if (name === 'caller') return scope.entity.from ?? `callers of ${scope.entity.name}`;
    const value = sheet.get(name)?.value;
    return typeof value === 'string' || typeof value === 'number' ? String(value) : whole === '' ? '' : 'unknown';
  });
}

/** Of a suspect that is no edge one end has a name: the other follows it, as "its callers". A machine is its own host. */
function ofOneEnd(text: string, { kind }: Entity): string {
  if (kind === 'edge') return text;
  const named = text
    .replaceAll('{caller} and {callee}', '{callee} and its callers')
    .replaceAll('the host of {caller}', 'the host of a caller');
  return kind === 'machine' ? named.replaceAll('the host of {callee}', '{callee}') : named;
}
