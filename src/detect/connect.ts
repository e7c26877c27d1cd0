/**
 * Which anomalies belong together: those that touch the same service, a service and what it calls (directly or through
 * one service that shows nothing), or a machine and the services on it; a machine is known by its own anomaly, or by those
 * of most of its instances. Siblings are not connected by a caller that is
 * well: two faults in unconnected parts stay two.
 */
import type { Anomaly } from '../model/incident.ts';
import type { ClosedWindow } from '../model/window.ts';
import type { Entities } from './entities.ts';

/** The world outside, not a part of the system: everything hangs on it, and its traffic is nobody's symptom. */
export const OUTSIDE: ReadonlySet<string> = new Set(['external', 'unknown', '']);

/** Share of a machine's instances that must be abnormal at once to be one matter. */
const MOST = 0.5;

export class CallGraph {
  readonly #callees = new Map<string, Set<string>>();
  readonly #entities: Entities;
  #edges = 0;

  constructor(entities: Entities) {
    this.#entities = entities;
  }

  /** Learns edges seen since the last call, and relations the window states. */
  learn(window: ClosedWindow | undefined): void {
    const { names } = this.#entities.edges;
    for (; this.#edges < names.length; this.#edges++) {
      const [from, to] = names[this.#edges]!.split('\0') as [string, string];
      this.#add(from, to);
    }
    for (const [relation, from, to] of window?.topology ?? []) {
      if (relation === 'calls') this.#add(from, to);
      else if (relation === 'part_of') this.#entities.place(from, to, undefined);
      else if (relation === 'runs_on') this.#entities.place(from, undefined, to);
    }
  }

  #add(from: string, to: string): void {
    if (OUTSIDE.has(from) || from === to) return;
    const callees = this.#callees.get(from);
    if (callees === undefined) this.#callees.set(from, new Set([to]));
    else callees.add(to);
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
    for (const callee of this.#callees.get(service) ?? []) {
      out.add(callee);
      for (const next of this.#callees.get(callee) ?? []) out.add(next);
    }
    return out;
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
    return Int32Array.from(anomalies, (_, i) => find(i));
  }
}
