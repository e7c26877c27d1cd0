/** Whether a service that does not get to its requests waits for others itself. */
import { answersOthers } from '../model/answers-others.ts';
import type { Comparison } from '../model/comparison.ts';
import type { SideFlows, System } from './system.ts';

/** Calls given up further down, for each that is held. */
const HOLDS_UP = 0.5;
/** The same of calls that its callees are seen to hold: threads that wait for a pool of connections are more than these. */
const HELD_BELOW = 0.2;

/**
 * What a service has read waits for others in turn: its workers are taken, and the rest queues before it.
 *
 * @param held  calls that it has read and not answered
 */
export function waitsItself(
  system: System,
  comparison: Comparison,
  name: string,
  held: SideFlows | undefined,
): boolean {
  const inside = held?.current.count ?? 0;
  const callees = system.callees(name).filter(({ to }) => !answersOthers(comparison, name, to));
  const outside = callees.reduce((sum, { givenUp }) => sum + (givenUp?.current.count ?? 0), 0);
  const below = callees.reduce((sum, { held: calls }) => sum + (calls?.current.count ?? 0), 0);
  return inside > 0 && (outside >= HOLDS_UP * inside || below >= HELD_BELOW * inside);
}
