/** The facts of one suspect while they are collected: values, onsets and who showed the worst value. */
import { RcaError } from '../model/errors.ts';
import type { FactValue } from '../model/verdict.ts';
import { factDefinition } from './fact-catalogue.ts';

export interface FactDetail {
  readonly value: FactValue;
  /** First window in which the evidence left its baseline. */
  readonly onsetMs: number | null;
  /** The instance or machine whose value it is, when several were looked at. */
  readonly witness: string | null;
  /** Others of those looked at that show half as much or more. */
  readonly alike?: readonly string[];
}

export type FactSheet = Map<string, FactDetail>;

/**
 * Sets a fact; numbers that are not finite become unknown.
 * @throws {RcaError} RCA_INTERNAL when the fact is not in the catalogue: rules could never test it
 */
export function setFact(
  sheet: FactSheet,
  name: string,
  value: FactValue,
  onsetMs: number | null = null,
  witness: string | null = null,
  alike: readonly string[] = [],
): void {
  if (factDefinition(name) === undefined) {
    throw new RcaError('RCA_INTERNAL', `fact ${name} is not in the catalogue: add it to fact-catalogue.ts`);
  }
  const clean = typeof value === 'number' && !Number.isFinite(value) ? null : value;
  sheet.set(name, { value: clean, onsetMs, witness, ...(alike.length === 0 ? {} : { alike }) });
}
