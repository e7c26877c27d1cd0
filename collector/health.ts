/** The collector's own state per window: probes, losses per buffer, cost. */
import type { HealthRecord, ProbeState } from '../src/model/records.ts';
import type { BreakerState } from './breaker.ts';
import type { ProbeFrame, TickFrame } from './frames/types.ts';

/** Losses as totals, by name; differences go into the records. */
type Totals = Readonly<Record<string, number>>;

export class Health {
  readonly #machine: string;
  readonly #probes = new Map<string, ProbeState>();
  #tick: TickFrame | undefined = undefined;
  /** What earlier runs of the loader counted. */
  #before: { readonly cpuUs: number; readonly events: number; readonly lost: Totals } = {
    cpuUs: 0,
    events: 0,
    lost: {},
  };
  #lastTotals: Totals = {};
  #lastEvents = 0;
  #lastCpuUs = 0;

  constructor(machine: string) {
    this.#machine = machine;
  }

  /** CPU time of the loader, over all its runs. */
  get loaderCpuUs(): number {
    return this.#before.cpuUs + (this.#tick?.loaderCpuUs ?? 0);
  }

  /** A new run of the loader begins: its counters start at zero, its probes are reported anew. */
  onHello(): void {
    const tick = this.#tick;
    this.#probes.clear();
    if (tick === undefined) return;
    const lost: Record<string, number> = {};
    for (const [name, value] of Object.entries(this.#loaderLost())) lost[name] = value;
    this.#before = { cpuUs: this.loaderCpuUs, events: this.#events(), lost };
    this.#tick = undefined;
  }

  onProbe(frame: ProbeFrame): void {
    this.#probes.set(
      frame.name,
      frame.attached
        ? { name: frame.name, state: 'attached' }
        : { name: frame.name, state: 'missing', reason: frame.reason || `errno ${frame.errno}` },
    );
  }

  onTick(frame: TickFrame): void {
    this.#tick = frame;
  }

  /**
   * @param losses    totals of what the TypeScript side lost
   * @param produced  records made for the window, by type
   * @param cpuUs     total CPU time of collector and loader
   */
  record(
    losses: Totals,
    capped: Readonly<Record<string, number>>,
    produced: Readonly<Record<string, number>>,
    breaker: BreakerState,
    cpuUs: number,
    memoryBytes: number,
  ): HealthRecord {
    const totals: Totals = { ...this.#loaderLost(), ...losses };
    const lost: Record<string, number> = {};
    for (const [name, total] of Object.entries(totals)) lost[name] = total - (this.#lastTotals[name] ?? 0);
    this.#lastTotals = totals;
    const events = this.#events();
    const record: HealthRecord = {
      machine: this.#machine,
      probes: [...this.#probes.values()],
      lost,
      eventsReceived: events - this.#lastEvents,
      ...(Object.keys(capped).length === 0 ? {} : { capped }),
      recordsProduced: produced,
      breaker,
      cpuUsedUs: Math.round(cpuUs - this.#lastCpuUs),
      memoryUsedBytes: memoryBytes,
    };
    this.#lastEvents = events;
    this.#lastCpuUs = cpuUs;
    return record;
  }

  #events(): number {
    return this.#before.events + (this.#tick?.controlEvents ?? 0) + (this.#tick?.dataEvents ?? 0);
  }

  #loaderLost(): Totals {
    const tick = this.#tick;
    if (tick === undefined) return this.#before.lost;
    const before = this.#before.lost;
    return {
      control: (before.control ?? 0) + tick.lostControl,
      data: (before.data ?? 0) + tick.lostData,
      connections: (before.connections ?? 0) + tick.lostConns,
      flows: (before.flows ?? 0) + tick.lostFlows,
      calls_in_flight: (before.calls_in_flight ?? 0) + tick.lostStash,
      missed_runs: (before.missed_runs ?? 0) + tick.missedRuns,
      shed_calls: (before.shed_calls ?? 0) + tick.shedCalls,
      unreadable_heads: (before.unreadable_heads ?? 0) + tick.faults,
    };
  }
}
