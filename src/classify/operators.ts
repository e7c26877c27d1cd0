/** The operators of json-rules-engine that rules may use, by type of fact, and how they read. */
import type { FactType } from './fact-definition.ts';

const SCALAR = ['equal', 'notEqual', 'in', 'notIn'];

export const OPERATORS: Readonly<Record<FactType, readonly string[]>> = {
  number: ['lessThan', 'lessThanInclusive', 'greaterThan', 'greaterThanInclusive', ...SCALAR],
  string: SCALAR,
  boolean: ['equal', 'notEqual'],
  list: ['contains', 'doesNotContain'],
};

export const ALL_OPERATORS: readonly string[] = [...new Set(Object.values(OPERATORS).flat())];

export const OPERATOR_WORDS: Readonly<Record<string, string>> = {
  equal: 'is',
  notEqual: 'is not',
  in: 'is one of',
  notIn: 'is none of',
  lessThan: '<',
  lessThanInclusive: '≤',
  greaterThan: '>',
  greaterThanInclusive: '≥',
  contains: 'has',
  doesNotContain: 'has not',
};
