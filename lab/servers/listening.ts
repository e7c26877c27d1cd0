/** Whether a process's network namespace has a listener on a port, without connecting to it. */
import { readFileSync } from 'node:fs';

const LISTEN = '0A';

/** @param pid  any process inside the namespace */
export function listens(pid: number, port: number): boolean {
  const wanted = port.toString(16).toUpperCase().padStart(4, '0');
  try {
    const rows = ['tcp', 'tcp6'].flatMap((file) => readFileSync(`/proc/${pid}/net/${file}`, 'utf8').split('\n'));
    return rows.some((row) => {
      const [, local, , state] = row.trim().split(/\s+/);
      return state === LISTEN && local?.split(':')[1] === wanted;
    });
  } catch {
    return false;
  }
}
