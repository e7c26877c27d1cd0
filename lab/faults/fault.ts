/** What every fault offers. */
import type { Lab } from '../lab.ts';
import type { Arguments, Target } from '../types.ts';

export interface ActiveFault {
  /** Ends it, and gives the counters that show that it bit. */
  stop(): Promise<Readonly<Record<string, number>>>;
}

export type StartFault = (lab: Lab, target: Target, args: Arguments) => Promise<ActiveFault>;

export function numberArgument(args: Arguments, name: string, otherwise: number): number {
  const value = args[name];
  return typeof value === 'number' ? value : otherwise;
}

export function textArgument(args: Arguments, name: string, otherwise: string): string {
  const value = args[name];
  return typeof value === 'string' ? value : otherwise;
}
