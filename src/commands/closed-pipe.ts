/** A reader that went away (`rootwalk … | head`) ends the command as it ends others: quietly, in order. */

/** What a shell says of a command that SIGPIPE ended. */
const EXIT_CODE = 141;

/** @param streams those whose reader is watched; other errors than a closed pipe are thrown as before */
export function endWithReader(...streams: readonly NodeJS.WriteStream[]): void {
  let ending = false;
  for (const stream of streams)
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
      if (ending) return;
      ending = true;
      process.exitCode = EXIT_CODE;
      // Commands that run until a signal close what they opened; the others have nothing to close.
      if (process.listenerCount('SIGTERM') > 0) process.kill(process.pid, 'SIGTERM');
      else process.exit(EXIT_CODE);
    });
}
