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
  #lastTotals: Totals = {};
  #lastEvents = 0;
  #lastCpuUs = 0;

  constructor(machine: string) {
    this.#machine = machine;
  }

  get loaderCpuUs(): number {
    return this.#tick?.loaderCpuUs ?? 0;
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
   * @param cpuUs     total CPU time of collector and loader
   */
  record(
    losses: Totals,
    capped: Readonly<Record<string, number>>,
    breaker: BreakerState,
    cpuUs: number,
    memoryBytes: number,
  ): HealthRecord {
    const tick = this.#tick;
    const totals: Totals = {
      ...(tick === undefined
        ? {}
        : {
            control: tick.lostControl,
            data: tick.lostData,
            connections: tick.lostConns,
            flows: tick.lostFlows,
            calls_in_flight: tick.lostStash,
            unreadable_heads: tick.faults,
          }),
      ...losses,
    };
    const lost: Record<string, number> = {};
    for (const [name, total] of Object.entries(totals)) lost[name] = total - (this.#lastTotals[name] ?? 0);
    this.#lastTotals = totals;
    const events = (tick?.controlEvents ?? 0) + (tick?.dataEvents ?? 0);
    const record: HealthRecord = {
      machine: this.#machine,
      probes: [...this.#probes.values()],
      lost,
      eventsReceived: events - this.#lastEvents,
      ...(Object.keys(capped).length === 0 ? {} : { capped }),
      breaker,
      cpuUsedUs: Math.round(cpuUs - this.#lastCpuUs),
      memoryUsedBytes: memoryBytes,
    };
    this.#lastEvents = events;
    this.#lastCpuUs = cpuUs;
    return record;
  }
}
