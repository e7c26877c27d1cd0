/** The fault tree as data, its problems, and the rule set in force. */
import type { FactValue } from '../model/verdict.ts';

/** A leaf: a fact, an operator of json-rules-engine, and the value (or `{ "fact": name }`) to compare it with. */
export interface Leaf {
  readonly fact: string;
  readonly operator: string;
  readonly value: number | string | boolean | readonly (number | string)[] | { readonly fact: string };
}

export type Condition =
  | Leaf
  | { readonly all: readonly Condition[] }
  | { readonly any: readonly Condition[] }
  | { readonly not: Condition }
  | { readonly condition: string }
  | { readonly atLeast: { readonly k: number; readonly of: readonly Condition[] } };

export interface Exclusion {
  readonly when: Condition;
  readonly reason: string;
}

export interface Support {
  readonly when: Condition;
  readonly weight: number;
}

/** A basic event of the tree. */
export interface Rule {
  readonly id: string;
  readonly class: string;
  readonly title: string;
  readonly summary?: string;
  readonly appliesTo: readonly ('service' | 'instance' | 'machine' | 'edge')[];
  /** `state`: a state or resource change (outranks), `symptom`: something that may itself be an effect. */
  readonly rank: 'state' | 'resource' | 'symptom';
  readonly priority: number;
  readonly needs: Condition;
  readonly excludes: readonly Exclusion[];
  readonly supports: readonly Support[];
  /** Confidence when `needs` holds and no support is present. */
  readonly confidence: number;
  /**
   * Which entity is at fault when the rule fires: the suspect itself, the called or the calling end of an edge, the one instance or
   * machine whose numbers prove it, the callee its own failing calls point to (`out.worst_callee`),
   * the callee that got slow (`out.slow_callee`), the resolver of names (`out.resolver`).
   */
  readonly blames:
    | 'suspect'
    | 'callee'
    | 'caller'
    | 'instance'
    | 'machine'
    | 'worst_callee'
    | 'slow_callee'
    | 'resolver';
  /** The suspect waits for the entity it blames: its share is added to that entity's own cause, when it has one. */
  readonly defers: boolean;
  readonly checks: readonly string[];
}

/** One file of the rules folder: an intermediate event of the tree and its basic events. */
export interface Family {
  readonly id: string;
  readonly title: string;
  /** Gate of the whole family; absent: open. */
  readonly when?: Condition;
  readonly rules: readonly Rule[];
  readonly file: string;
}

export interface FaultTree {
  readonly families: readonly Family[];
  readonly conditions: Readonly<Record<string, Condition>>;
  /** First 12 hex digits of the SHA-256 of the rules in canonical form. */
  readonly hash: string;
}

export interface RuleProblem {
  /** Relative to the folder. */
  readonly file: string;
  /** JSON path, e.g. `$.rules[2].needs.all[0].operator`. */
  readonly path: string;
  readonly message: string;
  readonly mend: string;
}

export type LoadResult =
  | { readonly ok: true; readonly tree: FaultTree }
  | { readonly ok: false; readonly problems: readonly RuleProblem[] };

/** The tree in force. A bad reload leaves the old one. */
export interface RuleSet {
  readonly dir: string;
  tree(): FaultTree;
  hash(): string;
  /** Reads the folder again; the new tree takes over only when it has no problem. Returns the problems. */
  reload(): readonly RuleProblem[];
}

export type Facts = Readonly<Record<string, FactValue>>;
