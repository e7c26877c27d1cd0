/** SIGSTOP for one instance: its kernel still accepts and acknowledges, nobody reads. It goes on when the fault ends. */
import { readFileSync } from 'node:fs';
import { RcaError } from '../../src/model/errors.ts';
import type { StartFault } from './fault.ts';

/** Third field of /proc/PID/stat: T is stopped; empty when the process is gone. */
function stateOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3);
  } catch {
    return '';
  }
}

export const processHang: StartFault = async (lab, target) => {
  const instance = target.instance ?? '';
  const pid = lab.pidOf(instance);
  if (pid === undefined) throw new RcaError('RCA_ENVIRONMENT', `lab: ${instance} does not run, so it cannot hang`);
  process.kill(pid, 'SIGSTOP');
  return {
    stop: async () => {
      const stopped = stateOf(pid) === 'T' ? 1 : 0;
      process.kill(pid, 'SIGCONT');
      return { processesStopped: stopped };
    },
  };
};
