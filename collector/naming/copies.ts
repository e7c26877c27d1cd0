/**
 * Several copies of one service on one machine, each with a port of its own (a pool behind a load balancer): what tells them
 * apart is the port, as in Prometheus' `instance`. One copy is one tree of processes of the same name.
 */

/** Services kept, and copies of each; what is more is not told apart. */
const MAX_SERVICES = 5_000;
const MAX_COPIES = 64;

export class Copies {
  /** Service and machine -> root process of a copy -> the lowest port it listens at. */
  readonly #ports = new Map<string, Map<number, number>>();

  /** @returns true when from now on the copies of the service have other names */
  learn(service: string, root: number, port: number): boolean {
    let copies = this.#ports.get(service);
    if (copies === undefined) {
      if (this.#ports.size >= MAX_SERVICES) return false;
      copies = new Map();
      this.#ports.set(service, copies);
    }
    const known = copies.get(root);
    if (known === undefined && copies.size >= MAX_COPIES) return false;
    if (known !== undefined && known <= port) return false;
    const before = new Set(copies.values()).size;
    copies.set(root, port);
    return before > 1 || new Set(copies.values()).size > 1;
  }

  /** The port that tells a copy from others; undefined: there are no others, or it listens at none. */
  portOf(service: string, root: number): number | undefined {
    const copies = this.#ports.get(service);
    return copies !== undefined && new Set(copies.values()).size > 1 ? copies.get(root) : undefined;
  }

  /** True when the service is known here: only then a copy's root is worth looking for. */
  has(service: string): boolean {
    return this.#ports.has(service);
  }
}
