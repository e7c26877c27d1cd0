/**
 * Which anomalies belong together: those that touch the same service, a service and what it calls (directly or through
 * one service that shows nothing), or a machine and the services on it; a machine is known by its own anomaly, or by
 * those of most of its instances. Who lost its traffic is connected with whoever lost it below, however far: a loss goes
 * all the way down, and where few call it is noticed late. Siblings are not connected by a caller that is well: two faults
 * in unconnected parts stay two.
 */
import type { Anomaly } from '../model/incident.ts';
import type { ClosedWindow } from '../model/window.ts';
import { withRoom } from './columns.ts';
import type { Entities } from './entities.ts';

/** The world outside, not a part of the system: everything hangs on it, and its traffic is nobody's symptom. */
export const OUTSIDE: ReadonlySet<string> = new Set(['external', 'unknown', '']);

/** Share of a machine's instances that must be abnormal at once to be one matter. */
const MOST = 0.5;
/** A stated call is believed this long after it was last confirmed, as by a comparison. */
const STATED_MS = 3_600_000;

/** Calls that topology records state: caller, callee, window that confirmed it last. */
export type StatedCalls = readonly (readonly [from: string, to: string, lastMs: number])[];

export class CallGraph {
  /** Caller -> callee -> last window that stated it. */
  readonly #stated = new Map<string, Map<string, number>>();
  readonly #entities: Entities;
  /** Edges by caller: the first of each end, and the next one of the same; + 1, 0: none. */
  #first = new Int32Array(0);
  #next = new Int32Array(0);
  #edges = 0;

  constructor(entities: Entities) {
    this.#entities = entities;
  }

  /** Learns relations the window states. */
  learn(window: ClosedWindow): void {
    this.#entities.beginPlaces();
    for (const [relation, from, to] of window.topology) {
      if (relation === 'calls') this.#add(from, to, window.startMs);
      else if (relation === 'part_of') this.#entities.place(from, to, undefined);
      else if (relation === 'runs_on') this.#entities.place(from, undefined, to);
    }
    for (const [from, callees] of this.#stated) {
      for (const [to, lastMs] of callees) if (lastMs < window.startMs - STATED_MS) callees.delete(to);
      if (callees.size === 0) this.#stated.delete(from);
    }
  }

  #add(from: string, to: string, atMs: number): void {
    if (OUTSIDE.has(from) || from === to) return;
    const callees = this.#stated.get(from);
    if (callees === undefined) this.#stated.set(from, new Map([[to, atMs]]));
    else callees.set(to, atMs);
  }

  /** What it does not know from entities. */
  save(): StatedCalls {
    return [...this.#stated].flatMap(([from, callees]) => [...callees].map(([to, atMs]) => [from, to, atMs] as const));
  }

  restore(stated: StatedCalls): void {
    for (const [from, to, atMs] of stated) this.#add(from, to, atMs);
  }

  /** Takes in the edges that are new since it was last asked. */
  #link(): void {
    const { edges } = this.#entities;
    this.#next = withRoom(this.#next, edges.size);
    this.#first = withRoom(this.#first, edges.ends.size);
    for (; this.#edges < edges.size; this.#edges++) {
      const from = edges.from(this.#edges);
      this.#next[this.#edges] = this.#first[from]!;
      this.#first[from] = this.#edges + 1;
    }
  }

  /** Whom a service calls, in no particular order. */
  #callees(service: string): Set<string> {
    const out = new Set(this.#stated.get(service)?.keys());
    const { edges } = this.#entities;
    const from = edges.ends.find(service);
    if (from === undefined || OUTSIDE.has(service)) return out;
    for (let i = this.#first[from]! - 1; i >= 0; i = this.#next[i]! - 1) {
      const to = edges.to(i);
      if (to !== from) out.add(edges.ends.names[to]!);
    }
    return out;
  }

  /** Services an anomaly speaks of. */
  touched(anomaly: Anomaly): readonly string[] {
    const { kind, name, from, to } = anomaly.entity;
    if (kind === 'service') return [name];
    if (kind === 'edge') return [from!, to!].filter((service) => !OUTSIDE.has(service));
    if (kind === 'instance') {
      const service = this.#entities.instanceService.get(name);
      return service === undefined ? [] : [service];
    }
    const services = new Set<string>();
    for (const [instance, machine] of this.#entities.instanceMachine) {
      const service = this.#entities.instanceService.get(instance);
      if (machine === name && service !== undefined) services.add(service);
    }
    return [...services];
  }

  /** Services reached from `service` in one or two calls. */
  #below(service: string): Set<string> {
    const out = new Set<string>();
    for (const callee of this.#callees(service)) {
      out.add(callee);
      for (const next of this.#callees(callee)) out.add(next);
    }
    return out;
  }

  /** Of services that lost traffic, pairs of one and another somewhere below it. Cost: O(calls below) for each. */
  *#lostBelow(anomalies: readonly Anomaly[]): Iterable<readonly [above: string, below: string]> {
    const lost = new Set(
      anomalies
        .filter(({ entity, symptom }) => entity.kind === 'service' && symptom === 'traffic_drop')
        .map(({ entity }) => entity.name),
    );
    if (lost.size < 2) return;
    for (const above of lost) {
      const seen = new Set([above]);
      for (const service of seen) for (const callee of this.#callees(service)) seen.add(callee);
      for (const below of seen) if (below !== above && lost.has(below)) yield [above, below];
    }
  }

  /** Positions of anomalies of instances, by machine, where most of a machine's instances and two services have one. */
  #onOneMachine(anomalies: readonly Anomaly[]): readonly (readonly number[])[] {
    const { instanceMachine, instanceService } = this.#entities;
    const found = new Map<string, Map<string, number>>();
    anomalies.forEach(({ entity: { kind, name } }, i) => {
      const machine = kind === 'instance' ? instanceMachine.get(name) : undefined;
      if (machine === undefined) return;
      let instances = found.get(machine);
      if (instances === undefined) {
        instances = new Map();
        found.set(machine, instances);
      }
      if (!instances.has(name)) instances.set(name, i);
    });
    const shared = [...found].filter(
      ([, instances]) => new Set([...instances.keys()].map((name) => instanceService.get(name))).size > 1,
    );
    if (shared.length === 0) return [];
    const sizes = new Map<string, number>();
    for (const machine of instanceMachine.values()) sizes.set(machine, (sizes.get(machine) ?? 0) + 1);
    return shared
      .filter(([machine, instances]) => instances.size > MOST * sizes.get(machine)!)
      .map(([, instances]) => [...instances.values()]);
  }

  /** Group number of each anomaly; connected ones share it. */
  group(anomalies: readonly Anomaly[]): Int32Array {
    this.#link();
    const parent = Int32Array.from(anomalies, (_, i) => i);
    const find = (i: number): number => {
      let root = i;
      while (parent[root] !== root) root = parent[root]!;
      while (parent[i] !== root) {
        const next = parent[i]!;
        parent[i] = root;
        i = next;
      }
      return root;
    };
    const byService = new Map<string, number>();
    anomalies.forEach((anomaly, i) => {
      for (const service of this.touched(anomaly)) {
        const first = byService.get(service);
        if (first === undefined) byService.set(service, i);
        else parent[find(i)] = find(first);
      }
    });
    for (const alike of this.#onOneMachine(anomalies)) for (const i of alike) parent[find(i)] = find(alike[0]!);
    for (const [service, i] of byService) {
      for (const below of this.#below(service)) {
        const other = byService.get(below);
        if (other !== undefined) parent[find(other)] = find(i);
      }
    }
    for (const [above, below] of this.#lostBelow(anomalies))
      parent[find(byService.get(below)!)] = find(byService.get(above)!);
    return Int32Array.from(anomalies, (_, i) => find(i));
  }
}
