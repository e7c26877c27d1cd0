/**
 * Calls that hang from one window to the next: a service that holds them (a lock, a deadlock) or reads none (its process is
 * stopped), the workers of callers that wait for it, and the users who leave, or whom the entry turns away.
 */
import type { CallRecord } from '../../src/model/records.ts';
import { ACTIVE } from '../../src/model/records.ts';
import type { Fault } from './fault.ts';
import type { EdgeSums } from './requests.ts';

/** Threads or processes of an instance: so many calls it works on at once. */
const WORKERS = 16;
/** What hangs for a second and more is told at the end of a window. */
const TOLD_MS = 1_000;
/** Users leave after that. */
const PATIENCE_MS = 10_000;
/** Who turns away what finds no worker does so after that. */
export const TURNED_AWAY_US = 3_000_000;

export type Ends = Pick<EdgeSums, 'caller' | 'callee' | 'callerInstance' | 'calleeInstance' | 'operation'>;

interface Hanging {
  readonly ends: Ends;
  readonly sinceMs: number;
  /** Its callee has read it. */
  readonly isRead: boolean;
  readonly isUser: boolean;
}

/** Calls that have not ended, over the life of a system. */
export class OpenCalls {
  #calls: Hanging[] = [];
  readonly #taken = new Map<string, number>();

  /** Whether all workers of an instance wait. */
  isFull(instance: string): boolean {
    return (this.#taken.get(instance) ?? 0) >= WORKERS;
  }

  /** A call of a window that begins at `startMs` hangs from there on; a worker of its callee too, if that has read it. */
  add(ends: Ends, sinceMs: number, isRead: boolean, isUser: boolean): void {
    this.#calls.push({ ends, sinceMs, isRead, isUser });
    if (isRead) this.#taken.set(ends.calleeInstance, (this.#taken.get(ends.calleeInstance) ?? 0) + 1);
  }

  /** Users whose patience ends before `endMs`: they are gone, the worker of the entry is not free for that. */
  leaving(endMs: number): readonly (Ends & { readonly isRead: boolean; readonly us: number })[] {
    const gone = this.#calls.filter(({ isUser, sinceMs }) => isUser && sinceMs + PATIENCE_MS <= endMs);
    this.#calls = this.#calls.filter((call) => !gone.includes(call));
    return gone.map(({ ends, isRead }) => ({ ...ends, isRead, us: PATIENCE_MS * 1000 }));
  }

  /** Calls that were sent since `startMs`, as sums of their edges: what TCP has to carry of them. */
  sent(startMs: number): readonly EdgeSums[] {
    const empty = { serverCount: 0, clientUs: 0, serverUs: 0, client: new Map(), server: new Map() };
    return this.#calls
      .filter(({ sinceMs }) => sinceMs >= startMs)
      .map(({ ends }) => ({ ...ends, ...empty, status: '200', count: 1 }));
  }

  /** What the two ends of each edge tell at the end of a window. */
  records(endMs: number, machineOf: (instance: string) => string): { client: CallRecord[]; server: CallRecord[] } {
    const sides = { client: new Map<string, CallRecord>(), server: new Map<string, CallRecord>() };
    for (const { ends, sinceMs, isRead } of this.#calls) {
      if (endMs - sinceMs < TOLD_MS) continue;
      const us = Math.round((endMs - sinceMs) * 1000);
      for (const side of isRead ? (['client', 'server'] as const) : (['client'] as const)) {
        const key = Object.values(ends).join('|');
        const known = sides[side].get(key);
        sides[side].set(key, {
          ...ends,
          callerMachine: machineOf(ends.callerInstance),
          calleeMachine: machineOf(ends.calleeInstance),
          side,
          protocol: 'http',
          status: ACTIVE,
          count: (known?.count ?? 0) + 1,
          errors: 0,
          durationSumUs: (known?.durationSumUs ?? 0) + us,
        });
      }
    }
    return { client: [...sides.client.values()], server: [...sides.server.values()] };
  }

  /** The fault is over: all of them end, and nobody is left to count them. */
  clear(): void {
    this.#calls = [];
    this.#taken.clear();
  }
}

/** What a call into an instance meets; undefined: it is answered. */
export function hangAt(
  faults: readonly Fault[],
  service: number,
  instance: string,
  draw: () => number,
): Fault | undefined {
  return faults.find(
    (fault) =>
      isHang(fault) &&
      fault.service === service &&
      (fault.instance === undefined || fault.instance === instance) &&
      (fault.size >= 1 || draw() < fault.size),
  );
}

export function isHang({ kind }: Fault): boolean {
  return kind === 'stuck' || kind === 'frozen' || kind === 'frozen_instance';
}
