/** Names of processes, endpoints and machines: the naming file first, then what the host shows. */
import { isLoopback, isUnix, isWildcard } from '../frames/address.ts';
import type { ListenerFrame } from '../frames/types.ts';
import { containerId, containerName } from './container.ts';
import { Copies } from './copies.ts';
import type { Naming } from './naming-file.ts';
import { EMPTY_NAMING } from './naming-file.ts';
import type { PortRange } from './ports.ts';
import { ephemeralPorts, isEphemeral } from './ports.ts';
import { readProcess } from './process-info.ts';
import { poolName, serviceName, systemdInstance } from './service-name.ts';

export interface Identity {
  readonly service: string;
  readonly instance: string;
  readonly machine: string;
}

export interface NamerOptions {
  readonly hostName: string;
  readonly procRoot?: string;
  /** Processes and endpoints remembered. */
  readonly maxEntries?: number;
}

const MAX_ANCESTORS = 8;

export class Namer {
  /** Rises whenever a name may have changed. */
  version = 0;
  readonly hostName: string;
  readonly procRoot: string;
  readonly #maxEntries: number;
  #naming: Naming = EMPTY_NAMING;
  #machineByNetns = new Map<number, string>();
  #machineByAddress = new Map<string, string>();
  #endpoints = new Map<string, Identity>();
  #named = new Map<number, Identity>();
  readonly #processes = new Map<number, Identity>();
  /** Processes looked at that the naming file does not speak of. */
  readonly #unnamed = new Set<number>();
  /** Processes of a pool that has a name of its own. */
  readonly #pooled = new Set<number>();
  /** Learnt from listeners: `netns/address:port`, and `netns/*:port` for wildcard ones. Kept when the listener is gone. */
  readonly #listeners = new Map<string, Identity>();
  readonly #listenerFrames = new Map<string, ListenerFrame>();
  /** Processes that listen at an endpoint of the naming file. */
  readonly #owners = new Map<number, Identity>();
  /** Named processes that were gone when those that live were told last. */
  #gone: ReadonlySet<number> = new Set();
  readonly #copies = new Copies();
  readonly #ephemeral: PortRange;
  /** Address -> namespace, learnt from connections. */
  readonly #netnsByAddress = new Map<string, number>();

  constructor(options: NamerOptions) {
    this.hostName = options.hostName;
    this.procRoot = options.procRoot ?? '/proc';
    this.#maxEntries = options.maxEntries ?? 20_000;
    this.#ephemeral = ephemeralPorts(this.procRoot);
  }

  get naming(): Naming {
    return this.#naming;
  }

  /** Takes a new naming file into force. */
  use(naming: Naming): void {
    this.#naming = naming;
    this.#machineByNetns = new Map();
    this.#machineByAddress = new Map();
    for (const machine of naming.machines) {
      if (machine.netnsInode !== undefined) this.#machineByNetns.set(machine.netnsInode, machine.name);
      for (const address of machine.addresses ?? []) {
        this.#machineByAddress.set(address, machine.name);
        if (machine.netnsInode !== undefined) this.#netnsByAddress.set(address, machine.netnsInode);
      }
    }
    this.#endpoints = new Map(
      naming.endpoints.map((endpoint) => [
        `${endpoint.address}:${endpoint.port}`,
        this.#complete(endpoint, endpoint.address),
      ]),
    );
    this.#named = new Map(naming.processes.map((process) => [process.pid, this.#complete(process, undefined)]));
    this.#forgetAll();
    this.#owners.clear();
    for (const frame of this.#listenerFrames.values()) this.#learn(frame);
    this.version++;
  }

  machine(netns: number): string {
    return this.#machineByNetns.get(netns) ?? this.hostName;
  }

  machineByAddress(address: string): string | undefined {
    const named = this.#machineByAddress.get(address);
    if (named !== undefined) return named;
    const netns = this.#netnsByAddress.get(address);
    return netns === undefined ? undefined : this.machine(netns);
  }

  /** Identity of a process; by its pid's or an ancestor's entry in the naming file, else from /proc, else its comm. */
  process(pid: number, netns: number, comm: string): Identity {
    const found = this.findProcess(pid, netns);
    if (found !== undefined) return found;
    const service = comm || 'unknown';
    const machine = this.machine(netns);
    return { service, machine, instance: `${service}@${machine}` };
  }

  /** As `process`, but undefined when the process is gone and nothing else names it. */
  findProcess(pid: number, netns: number): Identity | undefined {
    if (pid === 0) return undefined;
    const known = this.#processes.get(pid);
    if (known !== undefined) return known;
    const found = this.#fromAncestors(pid) ?? this.#fromProc(pid, netns);
    if (found !== undefined) this.#remember(this.#processes, pid, found);
    return found;
  }

  /** Identity of a process that serves one of its listener's pools, as PHP-FPM has them; undefined for all others. */
  findPooled(pid: number, netns: number): Identity | undefined {
    const found = this.findProcess(pid, netns);
    return this.#pooled.has(pid) ? found : undefined;
  }

  /** Who answers at an address is a pool of its listener's: whoever waits there waits for the pool. */
  learnPool(address: string, port: number, netns: number, pool: Identity): void {
    const keys = isUnix(address) ? [address] : [`${netns}/${address}:${port}`, `${netns}/*:${port}`];
    const key = keys.find((one) => this.#listeners.has(one));
    if (key === undefined || this.#listeners.get(key)?.instance === pool.instance) return;
    this.#listeners.set(key, pool);
    this.version++;
  }

  /** Identity of a process that the naming file names, itself or an ancestor; undefined for all others. */
  namedProcess(pid: number): Identity | undefined {
    if (this.#unnamed.has(pid)) return undefined;
    const found = this.#fromAncestors(pid);
    if (found === undefined) this.#unnamed.add(pid);
    return found;
  }

  /**
   * Pids that live now; of others nothing is kept that their next owner would inherit (exits may go by unseen). Names stay
   * until the next time: events of who has just ended may be on the way. None at all: it cannot be told who lives.
   */
  retain(alive: ReadonlySet<number>): void {
    if (alive.size === 0) return;
    for (const pids of [this.#unnamed, this.#pooled]) for (const pid of pids) if (!alive.has(pid)) pids.delete(pid);
    const gone = new Set<number>();
    for (const names of [this.#processes, this.#owners]) {
      for (const pid of names.keys()) {
        if (alive.has(pid)) continue;
        if (this.#gone.has(pid)) names.delete(pid);
        else gone.add(pid);
      }
    }
    this.#gone = gone;
  }

  /** True when the naming file names this very process, or the endpoint it listens at. */
  isNamed(pid: number): boolean {
    return this.#named.has(pid) || this.#owners.has(pid);
  }

  /** The process ended or became another program. */
  forget(pid: number): void {
    this.#processes.delete(pid);
    this.#pooled.delete(pid);
    this.#unnamed.delete(pid);
    this.#owners.delete(pid);
  }

  /**
   * Who listens at an address, undefined when not known.
   *
   * @param netns  namespace in which the address was seen: what loopback addresses mean depends on it
   * @param owner  namespace the address belongs to, when known; else the one it was learnt to belong to
   */
  endpoint(address: string, port: number, netns?: number, owner?: number): Identity | undefined {
    const loopback = isLoopback(address);
    if (isUnix(address)) return this.#listeners.get(address);
    const named = this.#endpoints.get(`${address}:${port}`);
    if (named !== undefined) return named;
    const where = loopback ? netns : (owner ?? this.#netnsByAddress.get(address));
    if (where === undefined) return undefined;
    const exact = loopback ? undefined : this.#listeners.get(`${where}/${address}:${port}`);
    return exact ?? this.#listeners.get(`${where}/*:${port}`);
  }

  /** The network namespace an address belongs to, from connections and the naming file. */
  netnsOf(address: string): number | undefined {
    return this.#netnsByAddress.get(address);
  }

  /** A listener was seen: remembers who is behind its address, also when it is gone. */
  learnListener(frame: ListenerFrame): Identity {
    this.#remember(this.#listenerFrames, `${frame.netns}/${frame.tuple.localAddress}:${frame.tuple.localPort}`, frame);
    this.version++;
    return this.#learn(frame);
  }

  /** A listener is gone, and with it, when its process is gone as well, a copy of a service. */
  closeListener({ netns, tuple: { localAddress, localPort } }: ListenerFrame): void {
    const owner = this.endpoint(localAddress, localPort, netns, netns);
    if (owner !== undefined) this.#copies.close(`${owner.service}@${owner.machine}`, localPort);
  }

  /** A listener is gone whose port may be a client's next: nobody is behind it any more. */
  forgetListener(frame: ListenerFrame): void {
    const { localAddress, localPort } = frame.tuple;
    if (!this.#listenerFrames.delete(`${frame.netns}/${localAddress}:${localPort}`)) return;
    const anywhere = isWildcard(localAddress) || isLoopback(localAddress);
    this.#listeners.delete(`${frame.netns}/${anywhere ? '*' : localAddress}:${localPort}`);
    this.version++;
  }

  #learn(frame: ListenerFrame): Identity {
    const { localAddress, localPort } = frame.tuple;
    if (isUnix(localAddress)) return this.#learnUnix(frame);
    const wildcard = isWildcard(localAddress);
    const loopback = isLoopback(localAddress);
    const named = wildcard
      ? this.#endpointOfMachine(this.#machineByNetns.get(frame.netns), localPort)
      : this.#endpoints.get(`${localAddress}:${localPort}`);
    if (named !== undefined && frame.pid !== 0 && !this.#owners.has(frame.pid)) {
      // Who listens at a named endpoint is that service, its children too, also when it calls others.
      this.#remember(this.#owners, frame.pid, named);
      this.#forgetAll();
    }
    if (named === undefined) this.#tellApart(frame);
    const found = named ?? this.process(frame.pid, frame.netns, frame.comm);
    const key = `${frame.netns}/${wildcard || loopback ? '*' : localAddress}:${localPort}`;
    this.#remember(this.#listeners, key, found);
    if (!wildcard && !loopback) this.learnAddress(localAddress, frame.netns);
    return found;
  }

  /** Unix sockets are the host's, in whatever network namespace they were made. */
  #learnUnix({ pid, netns, comm, tuple: { localAddress } }: ListenerFrame): Identity {
    const found = this.process(pid, netns, comm);
    this.#remember(this.#listeners, localAddress, found);
    return found;
  }

  /** A further copy of a service on its machine gives all of them names with their ports. */
  #tellApart({ pid, netns, tuple: { localPort } }: ListenerFrame): void {
    const found = pid === 0 || isEphemeral(this.#ephemeral, localPort) ? undefined : this.#fromProc(pid, netns);
    if (found === undefined) return;
    const usual = `${found.service}@${found.machine}`;
    if (found.instance !== usual && !found.instance.startsWith(`${usual}:`)) return;
    const { service } = found;
    const isAlive = (root: number): boolean => this.#isOf(root, service);
    if (!this.#copies.learn(usual, this.#rootOf(pid, service), localPort, isAlive)) return;
    this.#processes.clear();
    for (const frame of this.#listenerFrames.values()) this.#relearn(frame);
    this.version++;
  }

  /** Who listens there may have another name now. */
  #relearn({ pid, netns, comm, tuple: { localAddress, localPort } }: ListenerFrame): void {
    const anywhere = isWildcard(localAddress) || isLoopback(localAddress);
    const key = isUnix(localAddress) ? localAddress : `${netns}/${anywhere ? '*' : localAddress}:${localPort}`;
    const known = this.#listeners.get(key);
    const now = this.findProcess(pid, netns);
    if (known !== undefined && now !== undefined && now.service === known.service && comm !== '')
      this.#listeners.set(key, now);
  }

  /** The first of a process's ancestors with its name, itself included. */
  #rootOf(pid: number, service: string): number {
    let root = pid;
    for (let i = 0; i < MAX_ANCESTORS; i++) {
      const parent = readProcess(this.procRoot, root)?.parentPid ?? 0;
      if (parent <= 1 || !this.#isOf(parent, service)) return root;
      root = parent;
    }
    return root;
  }

  /** Whether a process is there and looks like one of a service. */
  #isOf(pid: number, service: string): boolean {
    const info = readProcess(this.procRoot, pid);
    return info !== undefined && serviceName(info, this.procRoot) === service;
  }

  /** The named endpoint at a port of a machine, whatever its address. */
  #endpointOfMachine(machine: string | undefined, port: number): Identity | undefined {
    if (machine === undefined) return undefined;
    const found = this.#naming.endpoints.find((endpoint) => {
      const where = endpoint.machine ?? this.#machineByAddress.get(endpoint.address);
      return endpoint.port === port && where === machine;
    });
    return found === undefined ? undefined : this.#endpoints.get(`${found.address}:${found.port}`);
  }

  #forgetAll(): void {
    this.#processes.clear();
    this.#unnamed.clear();
  }

  /** An address seen as a socket's own belongs to that socket's namespace. */
  learnAddress(address: string, netns: number): void {
    if (this.#netnsByAddress.get(address) === netns) return;
    if (isLoopback(address) || isWildcard(address) || isUnix(address) || address === '') return;
    this.#remember(this.#netnsByAddress, address, netns);
  }

  #fromAncestors(pid: number): Identity | undefined {
    if (this.#named.size === 0 && this.#owners.size === 0) return undefined;
    let current = pid;
    for (let i = 0; i < MAX_ANCESTORS && current > 1; i++) {
      const named = this.#named.get(current) ?? this.#owners.get(current);
      if (named !== undefined) return named;
      current = readProcess(this.procRoot, current)?.parentPid ?? 0;
    }
    return undefined;
  }

  #fromProc(pid: number, netns: number): Identity | undefined {
    const info = readProcess(this.procRoot, pid);
    if (info === undefined) return undefined;
    if (poolName(info) !== undefined) this.#pooled.add(pid);
    const machine = this.machine(info.netns || netns);
    const named = containerName(info, this.procRoot, machine);
    if (named !== undefined) return { ...named, machine };
    const service = serviceName(info, this.procRoot);
    const container = containerId(info.cgroup);
    if (container !== undefined) return { service, machine, instance: `${service}-${container}` };
    const one = systemdInstance(info.cgroup);
    if (one !== undefined) return { service, machine, instance: `${service}-${one}@${machine}` };
    const usual = `${service}@${machine}`;
    const port = this.#copies.areApart(usual) ? this.#copies.portOf(usual, this.#rootOf(pid, service)) : undefined;
    return { service, machine, instance: port === undefined ? usual : `${usual}:${port}` };
  }

  #complete(
    named: { readonly service: string; readonly instance?: string; readonly machine?: string },
    address: string | undefined,
  ): Identity {
    const machine =
      named.machine ?? (address === undefined ? undefined : this.#machineByAddress.get(address)) ?? this.hostName;
    return { service: named.service, machine, instance: named.instance ?? `${named.service}@${machine}` };
  }

  /** The entry told last stays longest. */
  #remember<K, V>(map: Map<K, V>, name: K, value: V): void {
    map.delete(name);
    if (map.size >= this.#maxEntries) {
      const oldest = map.keys().next().value;
      if (oldest !== undefined) map.delete(oldest);
    }
    map.set(name, value);
  }
}
