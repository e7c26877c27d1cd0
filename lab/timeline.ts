/** Runs the faults and events of a scenario at their times, and keeps what really happened. */
import { setTimeout as sleep } from 'node:timers/promises';
import { runEvent } from './events.ts';
import { FAULTS } from './faults/index.ts';
import type { Lab } from './lab.ts';
import type { SystemUnderTest } from './system-under-test.ts';
import type { EventSpec, FaultSpec, InjectedFault, Scenario } from './types.ts';

export interface HappenedEvent {
  readonly kind: string;
  readonly target: EventSpec['target'];
  readonly fromMs: number;
  readonly toMs: number;
}

export interface Happened {
  readonly faults: InjectedFault[];
  readonly events: HappenedEvent[];
}

async function until(ms: number, signal: AbortSignal): Promise<void> {
  const wait = ms - Date.now();
  if (wait > 0) await sleep(wait, undefined, { signal });
}

async function playFault(lab: Lab, fault: FaultSpec, zeroMs: number, signal: AbortSignal): Promise<InjectedFault> {
  const { kind, target, args = {}, truth } = fault;
  await until(zeroMs + fault.startS * 1_000, signal);
  const { log } = lab.options;
  const fromMs = Date.now();
  const active = await FAULTS[kind](lab, target, args);
  log(`fault ${kind} ${JSON.stringify(target)} begins (took ${Date.now() - fromMs} ms)`);
  let proof: Readonly<Record<string, number>>;
  try {
    await until(zeroMs + (fault.startS + fault.lengthS) * 1_000, signal);
  } finally {
    proof = await active.stop();
  }
  log(`fault ${kind} ends: ${JSON.stringify(proof)}`);
  return { kind, target, args, truth, fromMs, toMs: Date.now(), proof };
}

async function playEvent(
  lab: Lab,
  event: EventSpec,
  zeroMs: number,
  system: SystemUnderTest | undefined,
  signal: AbortSignal,
): Promise<HappenedEvent> {
  await until(zeroMs + event.atS * 1_000, signal);
  const fromMs = Date.now();
  lab.options.log(`event ${event.kind} ${JSON.stringify(event.target)}`);
  await runEvent(lab, event, system, signal);
  return { kind: event.kind, target: event.target, fromMs, toMs: Date.now() };
}

/**
 * @param zeroMs  end of the warm-up: second 0 of the scenario's times
 * @returns when the cool-down is over
 * @throws when a fault cannot be injected, or the signal is aborted; every fault has ended by then
 */
export async function play(
  lab: Lab,
  scenario: Scenario,
  zeroMs: number,
  system: SystemUnderTest | undefined,
  signal: AbortSignal,
): Promise<Happened> {
  const failed = new AbortController();
  const stop = AbortSignal.any([signal, failed.signal]);
  const guarded = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (error) {
      failed.abort(error);
      throw error;
    }
  };
  const faults = scenario.faults.map((fault) => guarded(playFault(lab, fault, zeroMs, stop)));
  const events = scenario.events.map((event) => guarded(playEvent(lab, event, zeroMs, system, stop)));
  const end = guarded(until(zeroMs + (scenario.lengthS + scenario.coolDownS) * 1_000, stop));
  const settled = await Promise.allSettled([...faults, ...events, end]);
  const broken = settled.find((one) => one.status === 'rejected');
  if (broken !== undefined) throw signal.aborted ? signal.reason : (failed.signal.reason ?? broken.reason);
  return { faults: await Promise.all(faults), events: await Promise.all(events) };
}
