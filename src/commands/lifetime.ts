/** Waiting for the end of a long-running command, and ending it in order. */

/** Resolves at the first SIGINT or SIGTERM; a second one ends the process at once. */
export function untilSignal(): { readonly signalled: Promise<string>; release(): void } {
  let release = (): void => {};
  const signalled = new Promise<string>((resolve) => {
    let seen = false;
    const handler = (signal: string): void => {
      if (seen) process.exit(130);
      seen = true;
      resolve(signal);
    };
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, handler);
    release = () => resolve('end');
  });
  return { signalled, release };
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
