/** Waiting for the end of a long-running command, and ending it in order. */
import { constants } from 'node:os';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** Signals that follow the first one within this time belong to it. */
const SAME_PRESS_MS = 500;

/** A command that runs until it is asked to end. */
export interface Ending {
  /** Resolves at the first signal or at `release`, whichever comes first. */
  readonly signalled: Promise<void>;
  isOver(): boolean;
  /** The command ends by itself. */
  release(): void;
}

/**
 * Calls `first` at the first SIGINT, SIGTERM or SIGHUP; a later one ends the process at once. One press of Ctrl-C comes
 * several times: the terminal signals every process of the group, and npm and bin/node24.mjs pass theirs on.
 */
export function onFirstSignal(first: (signal: NodeJS.Signals) => void): void {
  let seen = false;
  let armed = false;
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      if (armed) process.exit(128 + constants.signals[signal]);
      if (seen) return;
      seen = true;
      // What came while the process was busy is delivered after the timer, before the immediate.
      setTimeout(() => {
        setImmediate(() => {
          armed = true;
        }).unref();
      }, SAME_PRESS_MS).unref();
      first(signal);
    });
  }
}

/** Over at the first signal; a second one ends the process at once. */
export function untilSignal(): Ending {
  let over = false;
  let resolveSignalled = (): void => {};
  const signalled = new Promise<void>((resolve) => {
    resolveSignalled = resolve;
  });
  const release = (): void => {
    over = true;
    resolveSignalled();
  };
  onFirstSignal(release);
  return { signalled, isOver: () => over, release };
}

/** Runs each step even when one before it failed; reports the failures. */
export async function inOrder(...steps: readonly (() => Promise<void> | void)[]): Promise<void> {
  for (const step of steps) {
    try {
      await step();
    } catch (error) {
      console.error(`rootwalk: while ending: ${(error as Error).message}`);
      process.exitCode = 1;
    }
  }
}
