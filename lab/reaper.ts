/**
 * Waits for the lab to end and cleans up if it could not: `node reaper.ts ID`, with a pipe from the lab as standard
 * input. The pipe closes when the lab ends in any way, kill -9 included; "done" on it means all is clean already.
 * Runs in a session of its own, so that a signal to the lab's process group does not reach it.
 */
import { cleanupLab } from './cleanup.ts';

const id = Number(process.argv[2]);
let said = '';
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
process.stdin.on('data', (piece: Buffer) => {
  said += piece.toString();
});
process.stdin.on('close', () => {
  if (said.includes('done') || !Number.isInteger(id)) process.exit(0);
  void cleanupLab(id).then((left) => process.exit(left.length === 0 ? 0 : 1));
});
