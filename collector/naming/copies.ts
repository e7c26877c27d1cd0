/**
 * Several copies of one service on one machine, each with a port of its own (a pool behind a load balancer): what tells them
 * apart is the port, as in Prometheus' `instance`. One copy is one tree of processes of the same name. Once two were there at
 * the same time they are told apart for good: who is started anew has the name it had.
 */

/** Services kept, those that came last longest; and copies of each that live, what is more is not told apart. */
const MAX_SERVICES = 5_000;
const MAX_COPIES = 64;

interface Copy {
  /** The lowest port it listens at. */
  readonly port: number;
  /** That listener is gone: so is the copy, unless its process goes on. */
  isClosed: boolean;
}

interface Service {
  /** Root process -> its copy. */
  readonly copies: Map<number, Copy>;
  areApart: boolean;
}

export class Copies {
  /** By service and machine. */
  readonly #services = new Map<string, Service>();

  /**
   * @param isAlive  whether a copy's root process is there still
   * @returns true when from now on copies of the service have other names
   */
  learn(service: string, root: number, port: number, isAlive: (root: number) => boolean): boolean {
    const found = this.#services.get(service) ?? this.#begin(service);
    const { copies } = found;
    const known = copies.get(root);
    if (known !== undefined && !known.isClosed && known.port <= port) return false;
    if (known === undefined) {
      for (const [other, { isClosed }] of copies) if (isClosed && !isAlive(other)) copies.delete(other);
      if (copies.size >= MAX_COPIES) return false;
    }
    copies.set(root, { port, isClosed: false });
    found.areApart ||= new Set([...copies.values()].map((copy) => copy.port)).size > 1;
    return found.areApart;
  }

  /** A listener at a port is gone. Of two copies that share one it is the older one's: the other takes its place. */
  close(service: string, port: number): void {
    const copies = [...(this.#services.get(service)?.copies.values() ?? [])];
    const copy = copies.find((one) => one.port === port && !one.isClosed);
    if (copy !== undefined) copy.isClosed = true;
  }

  /** The port that tells a copy from others; undefined: it listens at none, or there never were others. */
  portOf(service: string, root: number): number | undefined {
    return this.areApart(service) ? this.#services.get(service)?.copies.get(root)?.port : undefined;
  }

  /** Whether copies of the service have names with ports: only then a copy's root is worth looking for. */
  areApart(service: string): boolean {
    return this.#services.get(service)?.areApart === true;
  }

  #begin(service: string): Service {
    const [oldest] = this.#services.keys();
    if (oldest !== undefined && this.#services.size >= MAX_SERVICES) this.#services.delete(oldest);
    const begun: Service = { copies: new Map(), areApart: false };
    this.#services.set(service, begun);
    return begun;
  }
}
