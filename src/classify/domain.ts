/** What values a fact may still have under several conditions at once: finds contradictions before a rule ever runs. */
import type { FactDefinition } from './fact-definition.ts';
import type { Leaf } from './types.ts';

export interface Domain {
  readonly low: number;
  readonly lowOpen: boolean;
  readonly high: number;
  readonly highOpen: boolean;
  /** The only values left; undefined: not limited to a list. */
  readonly only?: readonly unknown[];
  readonly not: readonly unknown[];
}

export function fullDomain(fact: FactDefinition): Domain {
  return {
    low: fact.min ?? Number.NEGATIVE_INFINITY,
    lowOpen: false,
    high: fact.max ?? Number.POSITIVE_INFINITY,
    highOpen: false,
    ...(fact.type === 'boolean' ? { only: [true, false] } : fact.values === undefined ? {} : { only: fact.values }),
    not: [],
  };
}

/** The domain left when the leaf holds too; undefined for leaves that compare two facts or look into a list. */
export function narrow(domain: Domain, leaf: Leaf): Domain | undefined {
  const { operator, value } = leaf;
  if (typeof value === 'object' && !Array.isArray(value)) return undefined;
  switch (operator) {
    case 'greaterThan':
    case 'greaterThanInclusive': {
      const low = value as number;
      const open = operator === 'greaterThan';
      if (low < domain.low || (low === domain.low && (domain.lowOpen || !open))) return domain;
      return { ...domain, low, lowOpen: open };
    }
    case 'lessThan':
    case 'lessThanInclusive': {
      const high = value as number;
      const open = operator === 'lessThan';
      if (high > domain.high || (high === domain.high && (domain.highOpen || !open))) return domain;
      return { ...domain, high, highOpen: open };
    }
    case 'equal':
    case 'in': {
      const wanted: readonly unknown[] = Array.isArray(value) ? value : [value];
      return { ...domain, only: (domain.only ?? wanted).filter((v) => wanted.includes(v)) };
    }
    case 'notEqual':
    case 'notIn':
      return { ...domain, not: [...domain.not, ...(Array.isArray(value) ? value : [value])] };
    default:
      return undefined;
  }
}

export function isEmpty(domain: Domain): boolean {
  if (domain.low > domain.high) return true;
  if (domain.low === domain.high && (domain.lowOpen || domain.highOpen)) return true;
  if (domain.only === undefined) return domain.low === domain.high && domain.not.includes(domain.low);
  return !domain.only.some((value) => !domain.not.includes(value) && inRange(domain, value));
}

function inRange(domain: Domain, value: unknown): boolean {
  if (typeof value !== 'number') return true;
  if (value < domain.low || value > domain.high) return false;
  return !(value === domain.low && domain.lowOpen) && !(value === domain.high && domain.highOpen);
}

/** True when every value of `inner` satisfies the leaf: inner ∩ leaf = inner, tested by the leaf's negation. */
export function implies(inner: Domain, leaf: Leaf): boolean {
  const opposite = NEGATION[leaf.operator];
  if (opposite === undefined) return false;
  const rest = narrow(inner, { ...leaf, operator: opposite });
  return rest !== undefined && isEmpty(rest);
}

const NEGATION: Readonly<Record<string, string>> = {
  greaterThan: 'lessThanInclusive',
  greaterThanInclusive: 'lessThan',
  lessThan: 'greaterThanInclusive',
  lessThanInclusive: 'greaterThan',
  equal: 'notEqual',
  notEqual: 'equal',
  in: 'notIn',
  notIn: 'in',
};
