/** What a rule may know of a fact, and short ways to say it in the catalogue. */
import type { EntityKind } from '../model/entity.ts';

export const FACT_TYPES = ['number', 'string', 'boolean', 'list'] as const;
export type FactType = (typeof FACT_TYPES)[number];

export interface FactDefinition {
  readonly name: string;
  readonly type: FactType;
  /** ratio (a share), factor (now / before), per_s, us, s, cores, count, sigma, or empty for names and flags. */
  readonly unit: string;
  /** Smallest and largest value it can have; absent: unbounded. */
  readonly min?: number;
  readonly max?: number;
  /** Kinds of suspect it exists for; absent: all. */
  readonly kinds?: readonly EntityKind[];
  /** Values a string fact or an item of a list may have; absent: open. */
  readonly values?: readonly string[];
  readonly text: string;
}

/** A family of facts with a suffix that is data: a kernel drop reason, a connect failure. */
export interface FactPattern {
  readonly prefix: string;
  readonly suffix: RegExp;
  readonly suffixName: string;
  readonly examples: readonly string[];
  readonly definition: Omit<FactDefinition, 'name'>;
}

export function number(name: string, unit: string, text: string, min?: number, max?: number): FactDefinition {
  return {
    name,
    type: 'number',
    unit,
    text,
    ...(min === undefined ? {} : { min }),
    ...(max === undefined ? {} : { max }),
  };
}

export function text(name: string, meaning: string, values?: readonly string[]): FactDefinition {
  return { name, type: 'string', unit: '', text: meaning, ...(values === undefined ? {} : { values }) };
}

export function flag(name: string, meaning: string): FactDefinition {
  return { name, type: 'boolean', unit: '', text: meaning };
}

export function list(name: string, meaning: string): FactDefinition {
  return { name, type: 'list', unit: '', text: meaning };
}
