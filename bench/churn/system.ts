/**
 * A system of constant size whose instances and machines are replaced by others with new names, as rolling deploys and
 * autoscaled nodes do. Seeded. Both sides of every call and of its TCP counters are reported by the machines they run on.
 */
import type { AnyBatch, CallRecord, ResourceRecord, TcpRecord } from '../../src/model/records.ts';
import type { Random } from '../../src/stats/random.ts';
import { createRandom, poisson } from '../../src/stats/random.ts';

export const WINDOW_MS = 5_000;

export interface Churn {
  readonly services: number;
  readonly instances: number;
  /** Services that each service calls. */
  readonly callees: number;
  readonly perMachine: number;
  /** Collectors know what runs on other machines by the addresses of its connections only. */
  readonly addresses: boolean;
  /** 5 s when it is absent. */
  readonly windowMs?: number;
}

interface Place {
  instance: string;
  machine: number;
  address: string;
}

export class ChurningSystem {
  readonly #churn: Churn;
  readonly #random: Random;
  /** Service by service its instances. */
  readonly #places: Place[][];
  readonly #machines: string[];
  readonly #calls: readonly (readonly [caller: number, callee: number])[];
  #made = 0;
  /** Number of a service that takes five times as long. */
  slow: number | undefined;

  constructor(churn: Churn, seed = 1) {
    this.#churn = churn;
    this.#random = createRandom(seed);
    const { services, instances, callees, perMachine } = churn;
    const each = Math.max(1, Math.round(instances / services));
    this.#machines = Array.from({ length: Math.ceil((services * each) / perMachine) }, () => `node-${this.#made++}`);
    this.#places = Array.from({ length: services }, (_, s) =>
      Array.from({ length: each }, (_, i) => this.#place(s, Math.floor((s * each + i) / perMachine))),
    );
    this.#calls = Array.from({ length: services }, (_, s) => s).flatMap((s) =>
      Array.from({ length: callees }, (_, k) => [s, (s + 1 + k * 7) % services] as const),
    );
  }

  #place(service: number, machine: number): Place {
    const n = this.#made++;
    return {
      instance: `service-${service}-${n.toString(36)}`,
      machine,
      address: `10.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}`,
    };
  }

  /** Gives so many instances new names. */
  replaceInstances(count: number): void {
    for (let k = 0; k < count; k++) {
      const service = Math.floor(this.#random() * this.#places.length);
      const places = this.#places[service]!;
      const i = Math.floor(this.#random() * places.length);
      places[i] = this.#place(service, places[i]!.machine);
    }
  }

  /** A machine goes, with all that ran on it. */
  replaceMachine(): void {
    const machine = Math.floor(this.#random() * this.#machines.length);
    this.#machines[machine] = `node-${this.#made++}`;
    this.#places.forEach((places, service) => {
      places.forEach((place, i) => {
        if (place.machine === machine) places[i] = this.#place(service, machine);
      });
    });
  }

  /** All batches of one window, one of each type a machine. Cost: O(pairs of instances). */
  window(startMs: number): AnyBatch[] {
    const calls = this.#machines.map((): CallRecord[] => []);
    const tcp = this.#machines.map((): TcpRecord[] => []);
    const resources = this.#machines.map((): ResourceRecord[] => []);
    for (const [edge, [caller, callee]] of this.#calls.entries()) {
      const [callers, callees] = [this.#places[caller]!, this.#places[callee]!];
      callers.forEach((from, i) => {
        this.#call(edge, `service-${caller}`, from, `service-${callee}`, callees[i % callees.length]!, calls, tcp);
      });
    }
    this.#places.forEach((places, service) => {
      for (const { instance, machine } of places)
        resources[machine]!.push({
          entityKind: 'instance',
          entity: instance,
          service: `service-${service}`,
          machine: this.#machines[machine]!,
          cpuUsedUs: 1e6 + this.#random() * 1e5,
          cpuLimitUs: 5e6,
          memoryUsedBytes: 2e8,
          memoryLimitBytes: 5e8,
        });
    });
    return this.#machines.flatMap((collector, m) => {
      const header = { schemaVersion: 1, environment: 'bench', collector, windowStartMs: startMs } as const;
      const rest = { windowMs: this.#churn.windowMs ?? WINDOW_MS, sequence: 0 } as const;
      return [
        { ...header, ...rest, type: 'call', records: calls[m]! },
        { ...header, ...rest, type: 'tcp', records: tcp[m]! },
        { ...header, ...rest, type: 'resource', records: resources[m]! },
      ] as unknown as AnyBatch[];
    });
  }

  #call(
    edge: number,
    caller: string,
    from: Place,
    callee: string,
    to: Place,
    calls: CallRecord[][],
    tcp: TcpRecord[][],
  ): void {
    const count = 1 + poisson(this.#random, 20);
    const meanUs = callee === `service-${this.slow}` ? 25_000 : 5_000;
    const durationSumUs = Math.round(count * meanUs * (0.9 + 0.2 * this.#random()));
    for (const side of ['client', 'server'] as const) {
      const own = side === 'client' ? from : to;
      const names = this.#names(side, caller, from, callee, to);
      calls[own.machine]!.push({
        ...names,
        side,
        protocol: 'http',
        operation: `GET /${callee}`,
        status: '200',
        count,
        errors: 0,
        durationSumUs,
        durationHistogram: { scale: 3, offset: Math.floor(Math.log2(meanUs) * 8), counts: [count] },
      });
      tcp[own.machine]!.push({
        ...names,
        ...(this.#churn.addresses ? { clientEndpoints: [`${from.address}:${20_000 + edge}`] } : {}),
        side,
        calleePort: 8080,
        segmentsOut: count * 4,
        retransmits: 0,
        drops: {},
        connectFailures: {},
        rttSumUs: count * 300,
        rttCount: count,
      });
    }
  }

  #names(side: 'client' | 'server', caller: string, from: Place, callee: string, to: Place) {
    const callerNames = { caller, callerInstance: from.instance, callerMachine: this.#machines[from.machine]! };
    const calleeNames = { callee, calleeInstance: to.instance, calleeMachine: this.#machines[to.machine]! };
    if (!this.#churn.addresses) return { ...callerNames, ...calleeNames };
    return side === 'client'
      ? { ...callerNames, callee: `${to.address}:8080` }
      : { ...calleeNames, caller: from.address };
  }
}
