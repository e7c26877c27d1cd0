/** Entities with dense numbers, and who reports them. */
import type { Entity } from '../model/entity.ts';
import { edge } from '../model/entity.ts';
import type { Names } from '../model/window.ts';

export class EntityTable {
  readonly names: string[] = [];
  readonly #ids = new Map<string, number>();

  get size(): number {
    return this.names.length;
  }

  find(name: string): number | undefined {
    return this.#ids.get(name);
  }

  id(name: string): number {
    const known = this.#ids.get(name);
    if (known !== undefined) return known;
    const id = this.names.length;
    this.#ids.set(name, id);
    this.names.push(name);
    return id;
  }

  load(names: readonly string[]): void {
    for (const name of names) this.id(name);
  }
}

export interface EntitiesState {
  readonly services: readonly string[];
  readonly edges: readonly string[];
  readonly instances: readonly string[];
  readonly machines: readonly string[];
  readonly instanceService: readonly (readonly [string, string])[];
  readonly instanceMachine: readonly (readonly [string, string])[];
}

/** All entities of an environment. Edge names are `from\0to` inside. */
export class Entities {
  readonly services = new EntityTable();
  readonly edges = new EntityTable();
  readonly instances = new EntityTable();
  readonly machines = new EntityTable();
  readonly instanceService = new Map<string, string>();
  readonly instanceMachine = new Map<string, string>();

  table(kind: Entity['kind']): EntityTable {
    if (kind === 'service') return this.services;
    if (kind === 'edge') return this.edges;
    return kind === 'instance' ? this.instances : this.machines;
  }

  entity(kind: Entity['kind'], i: number): Entity {
    const name = this.table(kind).names[i]!;
    if (kind !== 'edge') return { kind, name };
    const [from, to] = name.split('\0') as [string, string];
    return edge(from, to);
  }

  /** Learns where an instance belongs; later news wins. */
  place(instance: string, service: string | undefined, machine: string | undefined): void {
    if (service) this.instanceService.set(instance, service);
    if (machine) this.instanceMachine.set(instance, machine);
  }

  save(): EntitiesState {
    return {
      services: this.services.names,
      edges: this.edges.names,
      instances: this.instances.names,
      machines: this.machines.names,
      instanceService: [...this.instanceService],
      instanceMachine: [...this.instanceMachine],
    };
  }

  load(state: EntitiesState): void {
    for (const kind of ['services', 'edges', 'instances', 'machines'] as const) this[kind].load(state[kind]);
    for (const [instance, service] of state.instanceService) this.instanceService.set(instance, service);
    for (const [instance, machine] of state.instanceMachine) this.instanceMachine.set(instance, machine);
  }
}

/** Name ids -> entity numbers while many new leaves are mapped: each name and pair is turned to text once. */
export class Resolver {
  readonly #entities: Entities;
  readonly #names: Names;
  readonly #services = new Map<number, number>();
  readonly #edges = new Map<number, number>();
  readonly #instances = new Map<number, number>();
  /** Instance -> machine already noted. */
  readonly #placed = new Map<number, number>();

  constructor(entities: Entities, names: Names) {
    this.#entities = entities;
    this.#names = names;
  }

  service(name: number): number {
    let found = this.#services.get(name);
    if (found === undefined) {
      found = this.#entities.services.id(this.#names.name(name));
      this.#services.set(name, found);
    }
    return found;
  }

  edge(caller: number, callee: number): number {
    const pair = caller * 4294967296 + callee;
    let found = this.#edges.get(pair);
    if (found === undefined) {
      found = this.#entities.edges.id(`${this.#names.name(caller)}\0${this.#names.name(callee)}`);
      this.#edges.set(pair, found);
    }
    return found;
  }

  /** -1 when the leaf names no instance. */
  instance(name: number, service: number, machine: number): number {
    if (name === 0) return -1;
    this.place(name, service, machine);
    let found = this.#instances.get(name);
    if (found === undefined) {
      found = this.#entities.instances.id(this.#names.name(name));
      this.#instances.set(name, found);
    }
    return found;
  }

  place(instance: number, service: number, machine: number): void {
    if (instance === 0 || this.#placed.get(instance) === machine) return;
    this.#placed.set(instance, machine);
    this.#entities.place(this.#names.name(instance), this.#names.name(service), this.#names.name(machine));
  }
}
