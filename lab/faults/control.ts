/** Faults inside a service, told to it by its control file. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Lab } from '../lab.ts';

type Counter = 'failuresInjected' | 'workInjected';

/** Services write their counts each time their control file changes. */
function counted(lab: Lab, instance: string, counter: Counter): number[] {
  return lab.linesOf(instance).flatMap((line) => {
    const count = new RegExp(`"${counter}":\\s*(\\d+)`).exec(line)?.[1];
    return count === undefined ? [] : [Number(count)];
  });
}

/** Takes back what the instance was told; @returns its requests that it met, NaN when it does not say. */
export async function endControl(lab: Lab, instance: string, counter: Counter): Promise<number> {
  const lines = counted(lab, instance, counter).length;
  lab.control(instance, { failures: [] });
  for (let i = 0; i < 20 && counted(lab, instance, counter).length === lines; i++) await sleep(100);
  return counted(lab, instance, counter).at(-1) ?? Number.NaN;
}
