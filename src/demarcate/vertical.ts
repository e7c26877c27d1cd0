/**
 * The vertical check of a service that the ledger named: does its growth sit on some of its instances, or do several
 * services on one machine share it? Mean self-side durations (or errors) of each instance are compared with those of
 * its siblings, each weighted by what it contributes to the service's change.
 */
import type { CallLeaf, CallSums, Comparison } from '../model/comparison.ts';
import { isCrash, isStop } from '../model/crash.ts';
import { compareNames } from '../model/entity.ts';
import { isNewcomer } from '../model/newcomer.ts';
import { ACTIVE } from '../model/records.ts';

export interface InstanceShare {
  readonly instance: string;
  readonly machine: string | undefined;
  /** Share of the service's change that this instance carries. */
  readonly share: number;
  /** Calls it gets now. */
  readonly calls: number;
}

interface Sums {
  beforeCount: number;
  before: number;
  nowCount: number;
  now: number;
  /** Where it is now; of one that is called no more, where it was. */
  machine: string | undefined;
  isThere: boolean;
}

/** One instance carries the change alone above this share while it has clearly less of the traffic. */
export const CONCENTRATED_SHARE = 0.75;
const CLEARLY_LESS = 0.8;

export type InstanceMeasure = 'duration' | 'errors' | 'waited' | 'failed';

/**
 * @param measure  durations of calls into the service, or errors; as its callers see them: waited, failed
 * @returns shares of every instance, largest first; empty when instances are not told apart
 */
export function instanceShares(comparison: Comparison, name: string, measure: InstanceMeasure): InstanceShare[] {
  const leaves = comparison.calls.filter((leaf) => leaf.callee === name && leaf.calleeInstance !== undefined);
  const byCallers = measure === 'waited' || measure === 'failed';
  const side = byCallers && leaves.some((leaf) => leaf.side === 'client') ? 'client' : sideOf(leaves);
  const of = measure === 'errors' || measure === 'failed' ? errorsOf : durationOf;
  const sums = new Map<string, Sums>();
  for (const leaf of leaves) {
    if (leaf.side === side) addTo(sums, leaf.calleeInstance ?? '', leaf.calleeMachine, leaf, of, false);
  }
  return sharesOf(sums, comparison);
}

/**
 * The same of what each instance does itself: its requests' time, or errors, less that of its own calls. Where a callee is
 * slow or fails as well, all instances show that.
 * @returns empty when the service's own calls are not seen
 */
export function ownShares(comparison: Comparison, name: string, measure: 'duration' | 'errors'): InstanceShare[] {
  const of = measure === 'errors' ? errorsOf : durationOf;
  const sums = new Map<string, Sums>();
  let calls = 0;
  for (const leaf of comparison.calls) {
    if (leaf.side === 'server' && leaf.callee === name && leaf.calleeInstance !== undefined)
      addTo(sums, leaf.calleeInstance, leaf.calleeMachine, leaf, of, false);
    if (leaf.side === 'client' && leaf.caller === name && leaf.callerInstance !== undefined) {
      addTo(sums, leaf.callerInstance, leaf.callerMachine, leaf, of, true);
      calls++;
    }
  }
  return calls === 0 ? [] : sharesOf(sums, comparison);
}

function errorsOf({ errors }: CallSums): number {
  return errors;
}

function durationOf({ count, durationSumUs }: CallSums): number {
  return count > 0 ? durationSumUs : 0;
}

/** @param isOwnCall  made by the instance: what it took is not the instance's */
function addTo(
  sums: Map<string, Sums>,
  instance: string,
  machine: string | undefined,
  { baseline, current }: CallLeaf,
  of: (sums: CallSums) => number,
  isOwnCall: boolean,
): void {
  const isThere = current.count > 0;
  const sum = sums.get(instance) ?? { beforeCount: 0, before: 0, nowCount: 0, now: 0, machine, isThere };
  sums.set(instance, sum);
  if (isThere && !sum.isThere) [sum.machine, sum.isThere] = [machine, true];
  const sign = isOwnCall ? -1 : 1;
  sum.before += sign * of(baseline);
  sum.now += sign * of(current);
  if (isOwnCall) return;
  sum.beforeCount += baseline.count;
  sum.nowCount += current.count;
}

/** An instance that was not there before is held against what its siblings were then. */
function sharesOf(sums: ReadonlyMap<string, Sums>, comparison: Comparison): InstanceShare[] {
  const all = [...sums.values()];
  const [before, beforeCount, nowCount] = [
    all.reduce((sum, one) => sum + one.before, 0),
    all.reduce((sum, one) => sum + one.beforeCount, 0),
    all.reduce((sum, one) => sum + one.nowCount, 0),
  ];
  const calls = { before: beforeCount, now: nowCount };
  const ofSiblings = beforeCount > 0 ? before / beforeCount : 0;
  const growth = [...sums].map(([instance, sum]) => {
    const isNew = isNewcomer({ before: sum.beforeCount, now: sum.nowCount }, calls, comparison);
    const usual = isNew || sum.beforeCount === 0 ? ofSiblings : sum.before / sum.beforeCount;
    const grown = Math.max(0, sum.now - usual * sum.nowCount);
    return { instance, machine: sum.machine, calls: sum.nowCount, grown };
  });
  const total = growth.reduce((all, { grown }) => all + grown, 0);
  return growth
    .map(({ grown, ...one }) => ({ ...one, share: total > 0 ? grown / total : 0 }))
    .sort((a, b) => b.share - a.share || compareNames(a.instance, b.instance));
}

/** The instances' own side, unless callers see all of these and others besides: machines without a collector. */
function sideOf(leaves: readonly CallLeaf[]): 'client' | 'server' {
  const seenBy = (side: 'client' | 'server'): Set<string | undefined> =>
    new Set(leaves.filter((leaf) => leaf.side === side).map(({ calleeInstance }) => calleeInstance));
  const [client, server] = [seenBy('client'), seenBy('server')];
  return server.size > 0 && (client.size <= server.size || [...server].some((name) => !client.has(name)))
    ? 'server'
    : 'client';
}

/** The instance that carries the change alone, or undefined when siblings share it (or there are none). */
export function concentratedInstance(shares: readonly InstanceShare[]): InstanceShare | undefined {
  const first = shares[0];
  if (first === undefined || shares.length < 2 || first.share < CONCENTRATED_SHARE) return undefined;
  const all = shares.reduce((sum, { calls }) => sum + calls, 0);
  return all > 0 && first.calls / all < CLEARLY_LESS * first.share ? first : undefined;
}

/** Calls of an instance: answered before and now, and asked of it now as callers say. */
interface Answers {
  before: number;
  now: number;
  asked: number;
}

/** Calls before that make silence a sign, and the share of them that is no silence. */
const MIN_ANSWERED = 5;
const SILENT_SHARE = 0.1;
/** The same of who crashed: it may be back by now. */
const CRASHED_SHARE = 0.5;

/**
 * Instances of a service that went silent or refuse: known in the baseline, no calls answered now. Who was stopped on purpose
 * and is asked nothing any more is missed by nobody.
 */
export function silentInstances(comparison: Comparison, name: string): string[] {
  const answers = new Map<string, Answers>();
  for (const leaf of comparison.calls) {
    if (leaf.callee !== name || leaf.calleeInstance === undefined) continue;
    const sum = answers.get(leaf.calleeInstance) ?? { before: 0, now: 0, asked: 0 };
    answers.set(leaf.calleeInstance, sum);
    if (leaf.side === 'client') sum.asked += leaf.current.count;
    else if (leaf.status !== ACTIVE) {
      sum.before += leaf.baseline.count;
      sum.now += leaf.current.count;
    }
  }
  const crashed = new Set(comparison.changes.filter(isCrash).map(({ entity }) => entity));
  const spans = comparison.baseline.windows > 0 ? comparison.current.windows / comparison.baseline.windows : 0;
  return [...answers]
    .filter(([instance, { before, now, asked }]) => {
      const usual = before * spans;
      const isSilent = usual >= MIN_ANSWERED && now < (crashed.has(instance) ? CRASHED_SHARE : SILENT_SHARE) * usual;
      return isSilent && (asked - now >= SILENT_SHARE * usual || !isStopped(comparison, instance));
    })
    .map(([instance]) => instance)
    .sort(compareNames);
}

/** Somebody stopped it, and nobody started it again: as after a deploy. */
export function isStopped({ changes }: Comparison, instance: string): boolean {
  const last = changes
    .filter(({ entity, change }) => entity === instance && (change === 'process_exit' || change === 'process_start'))
    .sort((a, b) => a.atMs - b.atMs)
    .at(-1);
  return last !== undefined && isStop(last);
}
