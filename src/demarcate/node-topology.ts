/** Who calls whom, services and instances alike: a call of an instance is its service's, and everybody's who is part of it. */

interface Parts {
  readonly calls: readonly (readonly [caller: string, callee: string])[];
  readonly partOf: ReadonlyMap<string, string>;
}

export class NodeTopology {
  readonly #partOf: ReadonlyMap<string, string>;
  readonly #instances: Map<string, string[]>;
  readonly #callees = new Map<string, Set<string>>();
  readonly #callers = new Map<string, Set<string>>();

  /** Cost: O(calls + instances). */
  constructor({ calls, partOf }: Parts) {
    this.#partOf = partOf;
    const parts = Map.groupBy(partOf, ([, service]) => service);
    this.#instances = new Map([...parts].map(([service, list]) => [service, list.map(([name]) => name)]));
    for (const [caller, callee] of calls) {
      const [from, to] = [this.serviceOf(caller), this.serviceOf(callee)];
      if (from === to) continue;
      add(this.#callees, from, to);
      add(this.#callers, to, from);
    }
  }

  serviceOf(name: string): string {
    return this.#partOf.get(name) ?? name;
  }

  /** Of a service: itself and its instances. */
  rowsOf(service: string): readonly string[] {
    return [service, ...(this.#instances.get(service) ?? [])];
  }

  /** Other instances of a node's service. */
  siblingsOf(name: string): readonly string[] {
    const service = this.serviceOf(name);
    return name === service ? [] : (this.#instances.get(service) ?? []).filter((other) => other !== name);
  }

  /** Services that a node's service calls, and their instances; never its own. */
  calleesOf(name: string): readonly string[] {
    return this.#rowsAt(this.#callees, name);
  }

  callersOf(name: string): readonly string[] {
    return this.#rowsAt(this.#callers, name);
  }

  #rowsAt(side: ReadonlyMap<string, ReadonlySet<string>>, name: string): readonly string[] {
    return [...(side.get(this.serviceOf(name)) ?? [])].flatMap((service) => this.rowsOf(service));
  }
}

function add(to: Map<string, Set<string>>, key: string, value: string): void {
  const known = to.get(key);
  if (known === undefined) to.set(key, new Set([value]));
  else known.add(value);
}
