/** Whether a process ended because somebody asked it to. */
import type { ChangeRecord } from './records.ts';

/** HUP, INT, TERM, and the exit codes that say them: of a runtime that handles the signal itself. */
const ASKED_FOR_SIGNALS = new Set([0, 1, 2, 15]);
const ASKED_FOR_CODES = new Set([129, 130, 143]);

/** Ended by a signal other than HUP, INT or TERM (a stop that was asked for), or with an error code, or killed for memory. */
export function isCrash(change: ChangeRecord): boolean {
  if (change.entityKind !== 'instance') return false;
  if (change.change === 'oom_kill') return true;
  if (change.change !== 'process_exit') return false;
  return (change.signal !== undefined && !ASKED_FOR_SIGNALS.has(change.signal)) || isFailure(change.exitCode ?? 0);
}

/** A code that says that something went wrong, and not that somebody asked it to end. */
export function isFailure(exitCode: number): boolean {
  return exitCode > 0 && !ASKED_FOR_CODES.has(exitCode);
}

/** Ended as somebody asked it to; not when nobody tells how it ended. */
export function isStop(change: ChangeRecord): boolean {
  return isToldExit(change) && !isCrash(change);
}

/** How it ended is told. */
export function isToldExit({ change, signal, exitCode }: ChangeRecord): boolean {
  return change === 'process_exit' && (signal !== undefined || exitCode !== undefined);
}
