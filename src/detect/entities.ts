/** Entities with dense numbers, and where instances belong. */
import type { Entity } from '../model/entity.ts';
import { compareNames, edge } from '../model/entity.ts';
import type { Names } from '../model/window.ts';
import { withRoom } from './columns.ts';
import { PairIndex } from './pair-index.ts';

/** Name of a number that nobody has. */
const NOBODY = '\0';

export class EntityTable {
  readonly names: string[] = [];
  readonly #ids = new Map<string, number>();
  /** Numbers of entities that are gone, the largest first: the next ones get them, the smallest first. */
  readonly #free: number[] = [];

  get size(): number {
    return this.names.length;
  }

  find(name: string): number | undefined {
    return this.#ids.get(name);
  }

  id(name: string): number {
    const known = this.#ids.get(name);
    if (known !== undefined) return known;
    const id = this.#free.pop() ?? this.names.length;
    this.#ids.set(name, id);
    this.names[id] = name;
    return id;
  }

  /** Whether somebody has this number. */
  isTaken(i: number): boolean {
    return this.names[i] !== NOBODY;
  }

  /** These are gone: their numbers go to others. */
  free(numbers: readonly number[]): void {
    for (const i of numbers) {
      if (!this.isTaken(i)) continue;
      this.#ids.delete(this.names[i]!);
      this.names[i] = NOBODY;
      this.#free.push(i);
    }
    this.#free.sort((a, b) => b - a);
  }

  /** Into an empty table. */
  load(names: readonly string[]): void {
    names.forEach((name, i) => {
      this.names.push(name);
      if (name === NOBODY) this.#free.unshift(i);
      else this.#ids.set(name, i);
    });
  }
}

/** Edges as pairs of ends; there are ten times as many as of anything else, so that they become text only when asked for. */
export class EdgeTable {
  /** Names that calls come from or go to. */
  readonly ends = new EntityTable();
  readonly #pairs = new PairIndex();

  get size(): number {
    return this.#pairs.size;
  }

  /** Numbers of the ends. */
  from(i: number): number {
    return this.#pairs.first(i);
  }

  to(i: number): number {
    return this.#pairs.second(i);
  }

  id(from: number, to: number): number {
    return this.#pairs.id(from, to);
  }

  entity(i: number): Entity {
    return edge(this.ends.names[this.from(i)]!, this.ends.names[this.to(i)]!);
  }

  /** Per edge `from\0to`. */
  save(): string[] {
    return Array.from(
      { length: this.size },
      (_, i) => `${this.ends.names[this.from(i)]}\0${this.ends.names[this.to(i)]}`,
    );
  }

  load(edges: readonly string[]): void {
    for (const name of edges) {
      const [from, to] = name.split('\0') as [string, string];
      this.id(this.ends.id(from), this.ends.id(to));
    }
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

/** All entities of an environment. */
export class Entities {
  readonly services = new EntityTable();
  readonly edges = new EdgeTable();
  readonly instances = new EntityTable();
  readonly machines = new EntityTable();
  readonly instanceService = new Map<string, string>();
  readonly instanceMachine = new Map<string, string>();
  /** Those that were placed since `beginPlaces`. */
  readonly #placedService = new Set<string>();
  readonly #placedMachine = new Set<string>();
  #resolver: Resolver | undefined;

  table(kind: Exclude<Entity['kind'], 'edge'>): EntityTable {
    if (kind === 'service') return this.services;
    return kind === 'instance' ? this.instances : this.machines;
  }

  entity(kind: Entity['kind'], i: number): Entity {
    return kind === 'edge' ? this.edges.entity(i) : { kind, name: this.table(kind).names[i]! };
  }

  /** For leaves that are new now. Names keep their ids while their table is the same one. */
  resolver(names: Names): Resolver {
    if (this.#resolver?.names !== names) this.#resolver = new Resolver(this, names);
    this.#resolver.begin();
    return this.#resolver;
  }

  /** What is placed from here on is later news. */
  beginPlaces(): void {
    this.#placedService.clear();
    this.#placedMachine.clear();
  }

  /** Learns where an instance belongs; later news wins, and of several at once, which come in any order, the first by name. */
  place(instance: string, service: string | undefined, machine: string | undefined): void {
    if (service) put(this.instanceService, this.#placedService, instance, service);
    if (machine) put(this.instanceMachine, this.#placedMachine, instance, machine);
  }

  /** These are gone for good: their numbers go to others. */
  forget(kind: 'instance' | 'machine', numbers: readonly number[]): void {
    if (numbers.length === 0) return;
    this.table(kind).free(numbers);
    this.#resolver = undefined;
  }

  /** Forgets where instances belong that neither have a number nor are named. */
  forgetPlaces(isNamed: (instance: string) => boolean): void {
    for (const places of [this.instanceService, this.instanceMachine])
      for (const name of places.keys())
        if (this.instances.find(name) === undefined && !isNamed(name)) places.delete(name);
  }

  save(): EntitiesState {
    return {
      services: this.services.names,
      edges: this.edges.save(),
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

function put(places: Map<string, string>, placed: Set<string>, instance: string, where: string): void {
  if (placed.has(instance) && compareNames(where, places.get(instance) ?? where) >= 0) return;
  placed.add(instance);
  places.set(instance, where);
}

/** Name ids -> entity numbers: each name is turned to text once. */
export class Resolver {
  readonly names: Names;
  readonly #entities: Entities;
  /** By name id the number + 1; 0: not asked for yet. */
  #services = new Int32Array(0);
  #ends = new Int32Array(0);
  #instances = new Int32Array(0);
  /** By instance the service and the machine it was placed at last since `begin`, + 1. */
  #placedService = new Float64Array(0);
  #placedMachine = new Float64Array(0);

  constructor(entities: Entities, names: Names) {
    this.#entities = entities;
    this.names = names;
  }

  begin(): void {
    this.#entities.beginPlaces();
    this.#placedService.fill(0);
    this.#placedMachine.fill(0);
    const { size } = this.names;
    if (size <= this.#services.length) return;
    this.#services = withRoom(this.#services, size);
    this.#ends = withRoom(this.#ends, size);
    this.#instances = withRoom(this.#instances, size);
    this.#placedService = new Float64Array(this.#services.length);
    this.#placedMachine = new Float64Array(this.#services.length);
  }

  service(name: number): number {
    const known = this.#services[name]!;
    if (known > 0) return known - 1;
    const found = this.#entities.services.id(this.names.name(name));
    this.#services[name] = found + 1;
    return found;
  }

  edge(caller: number, callee: number): number {
    return this.#entities.edges.id(this.#end(caller), this.#end(callee));
  }

  #end(name: number): number {
    const known = this.#ends[name]!;
    if (known > 0) return known - 1;
    const found = this.#entities.edges.ends.id(this.names.name(name));
    this.#ends[name] = found + 1;
    return found;
  }

  /** -1 when the leaf names no instance. */
  instance(name: number, service: number, machine: number): number {
    if (name === 0) return -1;
    this.place(name, service, machine);
    const known = this.#instances[name]!;
    if (known > 0) return known - 1;
    const found = this.#entities.instances.id(this.names.name(name));
    this.#instances[name] = found + 1;
    return found;
  }

  place(instance: number, service: number, machine: number): void {
    if (instance === 0) return;
    if (this.#placedService[instance] === service + 1 && this.#placedMachine[instance] === machine + 1) return;
    this.#placedService[instance] = service + 1;
    this.#placedMachine[instance] = machine + 1;
    this.#entities.place(this.names.name(instance), this.names.name(service), this.names.name(machine));
  }
}
