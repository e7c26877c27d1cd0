/** What the series of a node say of it, and what a callee's signs explain of its caller's. */
import type { Family } from './families.ts';

/** Largest deviation of a node by family. */
export interface NodeSigns {
  readonly kind: 'service' | 'instance' | 'machine';
  readonly families: Map<Family, number>;
  /** CPU time whatever it was used for. */
  cpuUsed?: number;
  /** By how much its largest ratio of errors rose. */
  errorRise?: number;
  /** Largest weighted deviation within the quiet range: orders those who show nothing. */
  hint?: number;
}

/** Calls of one callee that a request may make: so much more of the caller's may fail. */
const CALLS_OF_ONE = 10;

/** Of a caller's slowness or failures, what a callee's own explain: who fails far less than its caller explains little. */
export function explaining(callee: NodeSigns | undefined, caller: NodeSigns | undefined, family: Family): number {
  const sign = callee?.families.get(family) ?? 0;
  const [below, above] = [callee?.errorRise, caller?.errorRise];
  if (family !== 'errors' || below === undefined || above === undefined || above <= 0) return sign;
  return sign * Math.min(1, Math.max(0, CALLS_OF_ONE * below) / above);
}

/** What others say of a node counts like its own, whose size is not known then. */
export function raise(node: NodeSigns, family: Family, sign: number): void {
  if (sign <= (node.families.get(family) ?? 0)) return;
  node.families.set(family, sign);
  if (family === 'errors') delete node.errorRise;
}
