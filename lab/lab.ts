/** A running lab: machines, services, stores and the gateway of one topology, and what can be done to them. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { RcaError } from '../src/model/errors.ts';
import type { InstanceGroup } from './cgroup.ts';
import { makeGroup } from './cgroup.ts';
import type { Claim } from './claim.ts';
import { claimLab } from './claim.ts';
import { freshName } from './names.ts';
import type { Placed } from './naming.ts';
import { namingDocument, writeJsonAtomically } from './naming.ts';
import type { Machine } from './network/namespaces.ts';
import { buildNetwork } from './network/namespaces.ts';
import type { LabProcess } from './process.ts';
import { seedFor } from './random.ts';
import { Nginx } from './servers/nginx.ts';
import { Postgres } from './servers/postgres.ts';
import { redisSocket, startRedis } from './servers/redis.ts';
import { launchService } from './service-launch.ts';
import type { Control, Peer, Peers } from './services/service-config.ts';
import type { InstancePlacement, ServiceSpec, Topology } from './types.ts';

interface Running {
  readonly spec: ServiceSpec;
  readonly placement: InstancePlacement;
  readonly group: InstanceGroup | undefined;
  process: LabProcess | undefined;
  version: string;
  drained: boolean;
}

export interface LabOptions {
  readonly seed: number;
  readonly log: (line: string) => void;
  /** Collectors that share the machines. */
  readonly collectors: number;
}

/** The machines that one collector watches. */
export interface WatchedHost {
  readonly name: string;
  /** Who listens there and which process is what; rewritten when a process starts or ends. */
  readonly namingFile: string;
  readonly machines: readonly Machine[];
}

const STOP_PATIENCE_MS = 4_000;

export class Lab {
  readonly topology: Topology;
  readonly id: number;
  readonly dir: string;
  readonly options: LabOptions;
  readonly machines: ReadonlyMap<string, Machine>;
  readonly #claim: Claim;
  readonly #instances = new Map<string, Running>();
  readonly #groups = new Map<string, InstanceGroup | undefined>();
  readonly #stores = new Map<string, { readonly process: LabProcess; readonly postgres?: Postgres }>();
  readonly #surges = new Map<string, LabProcess>();
  #gateway: Nginx | undefined;
  #client: LabProcess | undefined;
  #down = false;

  private constructor(topology: Topology, options: LabOptions, claim: Claim, machines: readonly Machine[]) {
    this.topology = topology;
    this.options = options;
    this.#claim = claim;
    this.id = claim.id;
    this.dir = claim.dir;
    this.machines = new Map(machines.map((machine) => [machine.name, machine]));
  }

  /**
   * Builds the machines and starts everything; returns when all of it answers. Cost: about 5 s.
   *
   * @throws {RcaError} RCA_ENVIRONMENT with the reason; nothing is left behind then
   */
  static async up(topology: Topology, options: LabOptions): Promise<Lab> {
    const claim = await claimLab();
    try {
      const lab = new Lab(topology, options, claim, await buildNetwork(claim.id, topology.machines));
      await lab.#start();
      return lab;
    } catch (error) {
      await claim.release();
      throw error;
    }
  }

  /** What each collector watches: the machines in turns, each with what a deployment there would know, and no more. */
  get hosts(): readonly WatchedHost[] {
    const count = Math.min(this.options.collectors, this.machines.size);
    const all = [...this.machines.values()];
    return Array.from({ length: count }, (_, k) => ({
      name: count === 1 ? `lab${this.id}` : `lab${this.id}-${k + 1}`,
      namingFile: join(this.dir, count === 1 ? 'naming.json' : `naming-${k + 1}.json`),
      machines: all.filter((_machine, i) => i % count === k),
    }));
  }

  machine(name: string): Machine {
    const found = this.machines.get(name);
    if (found === undefined) throw new RcaError('RCA_INTERNAL', `lab: no machine ${name}`);
    return found;
  }

  /** Where something listens or runs, by the name of a service, a store, the gateway, the client or a machine. */
  places(name: string): readonly Placed[] {
    const found = this.#placed().filter(({ service }) => service === name);
    if (found.length > 0) return found;
    const machine = this.machines.get(name);
    return machine === undefined ? [] : [{ service: name, instance: name, machine }];
  }

  group(instance: string): InstanceGroup | undefined {
    return this.#groups.get(instance);
  }

  /** CPUs that the topology gives an instance; undefined: no limit. */
  cpusOf(instance: string): number | undefined {
    const { gateway, stores, services } = this.topology;
    const all = [gateway, ...stores, ...services.flatMap(({ instances }) => instances)];
    return all.find(({ name }) => name === instance)?.cpus;
  }

  postgres(store: string): Postgres {
    const found = this.#stores.get(store)?.postgres;
    if (found === undefined) throw new RcaError('RCA_INTERNAL', `lab: no PostgreSQL store ${store}`);
    return found;
  }

  /** UNIX socket of a Redis store. */
  redisSocket(store: string): string {
    return redisSocket(this.dir, store);
  }

  /** Pid of an instance's process; undefined: it does not run. */
  pidOf(instance: string): number | undefined {
    return this.#placed().find((place) => place.instance === instance)?.pid;
  }

  /** Lines an instance wrote to its standard output since it was last started. */
  linesOf(instance: string): readonly string[] {
    return this.#instance(instance).process?.lines ?? [];
  }

  control(instance: string, control: Control): void {
    writeJsonAtomically(this.#controlFile(instance), control);
  }

  /** SIGKILL: no goodbye, no restart. */
  async killInstance(name: string): Promise<void> {
    const running = this.#instance(name);
    running.process?.kill('SIGKILL');
    await running.process?.ended;
    running.process = undefined;
    this.#writeNaming();
  }

  async stopInstance(name: string): Promise<void> {
    const running = this.#instance(name);
    await running.process?.stop('SIGTERM', STOP_PATIENCE_MS);
    running.process = undefined;
    this.#writeNaming();
  }

  async startInstance(name: string, version?: string): Promise<void> {
    const running = this.#instance(name);
    if (version !== undefined) running.version = version;
    const { spec, placement, group } = running;
    running.process = await launchService({
      spec,
      instance: placement.name,
      machine: this.machine(placement.machine),
      group,
      version: running.version,
      seed: seedFor(this.options.seed, placement.name),
      dir: this.dir,
      peersFile: this.#peersFile,
      controlFile: this.#controlFile(name),
    });
    this.#writeNaming();
  }

  /**
   * Another instance of a new version in the place of one that is stopped: same machine, address and port, a name of its own,
   * as a scheduler would give it. As drained as the old one was.
   *
   * @param control  what it does from its first request on
   * @returns its name
   */
  async replaceInstance(name: string, version: string, control: Control): Promise<string> {
    const old = this.#instance(name);
    await this.stopInstance(name);
    const fresh = freshName(name, version);
    const placement = { ...old.placement, name: fresh };
    const group = this.#makeGroup(fresh, placement.cpus);
    this.#instances.delete(name);
    this.#instances.set(fresh, { ...old, placement, group, version, process: undefined });
    this.control(fresh, control);
    // A scheduler knows the name before the process runs.
    this.#writeNaming();
    await this.startInstance(fresh);
    return fresh;
  }

  /** Takes an instance out of the load balancing (or back in): the gateway reloads, services read the new peers. */
  setDrained(name: string, drained: boolean): void {
    this.#instance(name).drained = drained;
    const peers = this.#writePeers();
    this.#gateway?.reload(peers);
  }

  /** Makes the client's process known to the naming file. */
  setClient(process: LabProcess | undefined): void {
    this.#client = process;
    this.#writeNaming();
  }

  /** A further client, as an instance of the first; undefined: it has ended. */
  setSurge(name: string, process: LabProcess | undefined): void {
    if (process === undefined) this.#surges.delete(name);
    else this.#surges.set(name, process);
    this.#writeNaming();
  }

  /** True, once, when an instance ended on its own; it can be started again then. */
  collectEnded(name: string): boolean {
    const running = this.#instance(name);
    if (running.process?.end === undefined) return false;
    running.process = undefined;
    this.#writeNaming();
    return true;
  }

  /** Processes that ended although nobody asked them to. */
  unexpectedEnds(): string[] {
    const all = [
      ...[...this.#instances.values()].map(({ process }) => process),
      ...[...this.#stores.values()].map(({ process }) => process),
      this.#gateway?.process,
    ];
    return all.flatMap((process) => (process?.end === undefined ? [] : [`${process.name}: ${process.end}`]));
  }

  /** Ends everything and removes every trace. Safe to call twice. */
  async down(): Promise<void> {
    if (this.#down) return;
    this.#down = true;
    for (const process of [this.#client, ...this.#surges.values()]) await process?.stop('SIGKILL', 0);
    await this.#gateway?.process.stop('SIGTERM', STOP_PATIENCE_MS);
    await Promise.all([...this.#instances.values()].map(({ process }) => process?.stop('SIGTERM', STOP_PATIENCE_MS)));
    await Promise.all([...this.#stores.values()].map(({ process }) => process.stop('SIGINT', STOP_PATIENCE_MS)));
    const left = await this.#claim.release();
    if (left.length > 0) throw new RcaError('RCA_ENVIRONMENT', `lab ${this.id}: could not remove ${left.join(', ')}`);
  }

  get #peersFile(): string {
    return join(this.dir, 'peers.json');
  }

  #controlFile(instance: string): string {
    return join(this.dir, `${instance}.control.json`);
  }

  #instance(name: string): Running {
    const found = this.#instances.get(name);
    if (found === undefined) throw new RcaError('RCA_INTERNAL', `lab: no instance ${name}`);
    return found;
  }

  #makeGroup(instance: string, cpus: number | undefined): InstanceGroup | undefined {
    const group = makeGroup(this.id, instance);
    group?.limit(cpus);
    this.#groups.set(instance, group);
    return group;
  }

  async #start(): Promise<void> {
    mkdirSync(this.dir, { recursive: true });
    const { topology } = this;
    for (const spec of topology.services) {
      for (const placement of spec.instances) {
        const group = this.#makeGroup(placement.name, placement.cpus);
        const version = spec.version ?? '1';
        this.#instances.set(placement.name, { spec, placement, group, process: undefined, version, drained: false });
        this.control(placement.name, { failures: [] });
      }
    }
    for (const store of topology.stores) {
      const machine = this.machine(store.machine);
      const group = this.#makeGroup(store.name, store.cpus);
      if (store.kind === 'redis') {
        this.#stores.set(store.name, { process: await startRedis(store, machine, this.dir, group) });
      } else {
        const postgres = await Postgres.start(store, machine, this.dir, group);
        this.#stores.set(store.name, { process: postgres.process, postgres });
      }
    }
    const peers = this.#writePeers();
    await Promise.all([...this.#instances.keys()].map((name) => this.startInstance(name)));
    const { gateway } = topology;
    const group = this.#makeGroup(gateway.name, gateway.cpus);
    this.#gateway = await Nginx.start(gateway, this.machine(gateway.machine), peers, this.dir, group);
    this.#writeNaming();
  }

  #peerOf(name: string, machine: string, port: number): Peer {
    return { instance: name, address: this.machine(machine).address, port };
  }

  #writePeers(): Peers {
    const services: Record<string, Peer[]> = {};
    for (const { spec, placement, drained } of this.#instances.values()) {
      services[spec.name] ??= [];
      if (!drained) services[spec.name]?.push(this.#peerOf(placement.name, placement.machine, spec.port));
    }
    const stores = this.topology.stores.map(({ name, machine, port }) => [name, this.#peerOf(name, machine, port)]);
    const peers: Peers = { services, stores: Object.fromEntries(stores) as Peers['stores'] };
    writeJsonAtomically(this.#peersFile, peers);
    return peers;
  }

  #place(service: string, instance: string, machine: string, port?: number, process?: LabProcess): Placed {
    const group = this.#groups.get(instance);
    const runs = process !== undefined && process.end === undefined;
    return {
      service,
      instance,
      machine: this.machine(machine),
      ...(port === undefined ? {} : { port }),
      ...(runs ? { pid: process.pid } : {}),
      ...(group === undefined ? {} : { cgroup: group.path }),
    };
  }

  #placed(): Placed[] {
    const { client, gateway, stores } = this.topology;
    return [
      this.#place(client.name, client.name, client.machine, undefined, this.#client),
      ...[...this.#surges].map(([name, process]) => this.#place(client.name, name, client.machine, undefined, process)),
      this.#place(gateway.name, gateway.name, gateway.machine, gateway.port, this.#gateway?.process),
      ...[...this.#instances.values()].map(({ spec, placement, process }) =>
        this.#place(spec.name, placement.name, placement.machine, spec.port, process),
      ),
      ...stores.map(({ name, machine, port }) =>
        this.#place(name, name, machine, port, this.#stores.get(name)?.process),
      ),
    ];
  }

  #writeNaming(): void {
    const placed = this.#placed();
    for (const { namingFile, machines } of this.hosts) {
      const here = placed.filter(({ machine }) => machines.includes(machine));
      writeJsonAtomically(namingFile, namingDocument(machines, here));
    }
  }
}
