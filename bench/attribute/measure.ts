/**
 * Time of one call: on the wall, and of this thread's processor alone, which other load on the machine cannot lengthen. The
 * latter's clock advances by ticks, of 4 ms on many kernels: of short calls only the mean of many tells.
 */
import type { AttributionResult } from '../../src/attribute/index.ts';

export interface Timed<T> {
  readonly value: T;
  readonly wallMs: number;
  readonly cpuMs: number;
}

export function time<T>(call: () => T): Timed<T> {
  const cpu = process.threadCpuUsage();
  const start = process.hrtime.bigint();
  const value = call();
  const wallMs = Number(process.hrtime.bigint() - start) / 1e6;
  const { user, system } = process.threadCpuUsage(cpu);
  return { value, wallMs, cpuMs: (user + system) / 1000 };
}

export function namesOf({ elements }: AttributionResult): string[] {
  return elements.map(({ terms }) =>
    terms
      .map(({ dimension, value }) => `${dimension}=${value}`)
      .sort()
      .join('&'),
  );
}
