/**
 * Frames of the loader in, batches of records out: tracker, naming, windows, resources, health in one place, without
 * a bus or a child process. Time is given by the caller (`advance`), so a recording of frames gives the same batches.
 */
import { hostname } from 'node:os';
import type { AnyBatch, Batch, ChangeRecord, RecordOf, RecordType, ResourceRecord } from '../src/model/records.ts';
import { Breaker } from './breaker.ts';
import { Changes } from './changes.ts';
import type { DatagramFrame, Frame } from './frames/types.ts';
import { Health } from './health.ts';
import { EdgeResolver } from './naming/edges.ts';
import type { Identity } from './naming/namer.ts';
import { Namer } from './naming/namer.ts';
import { NamingFile } from './naming/naming-file.ts';
import { ephemeralPorts } from './naming/ports.ts';
import { ResourceSampler } from './resources/sampler.ts';
import { Tracker } from './tracker/tracker.ts';
import { WindowAggregator } from './windows/aggregator.ts';
import { Recorder } from './windows/recorder.ts';

export interface PipelineOptions {
  readonly environment: string;
  /** Name of the collector and of the host machine; the host's name by default. */
  readonly name?: string;
  readonly namingFile?: string;
  readonly windowMs?: number;
  /** A window is flushed this long after its end. */
  readonly flushDelayMs?: number;
  readonly excludedPorts?: Iterable<number>;
  /** Live set: the collector adds the loader's pid. */
  readonly excludedPids?: ReadonlySet<number>;
  readonly procRoot?: string;
  readonly cgroupRoot?: string;
  readonly cpuLimitRatio?: number;
  readonly memoryLimitBytes?: number;
  /** Further losses as totals (messages the bus did not take). */
  readonly lost?: () => Readonly<Record<string, number>>;
  /** The breaker opened or closed: whether the kernel side shall leave payload alone. */
  readonly onShed?: (isShedding: boolean) => void;
  /** CPU µs and resident bytes of this process; injectable for tests. */
  readonly usage?: () => { readonly cpuUs: number; readonly memoryBytes: number };
  /** The naming file was changed into one that cannot be used, or is gone; the names read before stay in force. */
  readonly onNamingProblem?: (problem: string) => void;
  /** One batch per type and window; empty ones are left out. */
  readonly onBatch: (batch: AnyBatch) => void;
}

const DEFAULT_FLUSH_DELAY_MS = 500;
/** Tells what listeners lost. */
const LISTENER_PROBE = 'list_listeners';

export class CollectorPipeline {
  readonly name: string;
  readonly tracker: Tracker;
  readonly namer: Namer;
  readonly aggregator: WindowAggregator;
  readonly recorder: Recorder;
  readonly health: Health;
  readonly breaker: Breaker;
  readonly namingFile: NamingFile;
  readonly #options: PipelineOptions;
  readonly #changes: Changes;
  readonly #sampler: ResourceSampler;
  readonly #flushDelayMs: number;
  /** Window start -> resources sampled at its end. */
  readonly #resources = new Map<number, readonly ResourceRecord[]>();
  #sampledUntilMs = Number.NaN;
  /** Events with payload that found no room, in this run of the loader. */
  #lostData = 0;
  #lastCheckMs = Number.NaN;
  #lastCheckCpuUs = 0;
  #servicePids: ReadonlyMap<number, Identity> = new Map();

  constructor(options: PipelineOptions) {
    this.#options = options;
    this.name = options.name ?? hostname();
    this.#flushDelayMs = options.flushDelayMs ?? DEFAULT_FLUSH_DELAY_MS;
    this.namingFile = new NamingFile(options.namingFile);
    const procRoot = options.procRoot ?? '/proc';
    this.namer = new Namer({ hostName: this.name, procRoot });
    this.aggregator = new WindowAggregator(options.windowMs === undefined ? {} : { windowMs: options.windowMs });
    this.health = new Health(this.name);
    this.breaker = new Breaker({
      cpuLimitRatio: options.cpuLimitRatio ?? 0.5,
      memoryLimitBytes: options.memoryLimitBytes ?? 512 * 1024 * 1024,
    });
    const ephemeral = ephemeralPorts(procRoot);
    const sink: { recorder?: Recorder } = {};
    this.tracker = new Tracker({
      onCall: (connection, call) => sink.recorder?.onCall(connection, call),
      onOpened: (connection, frame) => sink.recorder?.onOpened(connection, frame),
      onFailed: (connection, frame) => sink.recorder?.onFailed(connection, frame),
      onClosed: () => {},
      onTraffic: (connection, delta, totals, atMs) => sink.recorder?.onTraffic(connection, delta, totals, atMs),
    });
    const { index, datagrams } = this.tracker;
    this.recorder = new Recorder(this.aggregator, new EdgeResolver(this.namer, index, ephemeral, datagrams.index), {
      excludedPorts: new Set(options.excludedPorts ?? []),
      excludedPids: options.excludedPids ?? new Set(),
    });
    this.recorder.index = index;
    sink.recorder = this.recorder;
    this.#changes = new Changes(this.namer, ephemeral, (change) => this.aggregator.addChange(change));
    this.#sampler = new ResourceSampler({
      hostName: this.name,
      procRoot,
      cgroupRoot: options.cgroupRoot ?? '/sys/fs/cgroup',
      machineOf: (netns) => this.namer.machine(netns),
      identify: (pid) => this.#servicePids.get(pid) ?? this.namer.namedProcess(pid),
      onProcesses: (pids) => this.namer.retain(pids),
    });
    this.#refreshNames();
  }

  frame(frame: Frame): void {
    switch (frame.type) {
      case 'data':
        this.tracker.data(frame);
        break;
      case 'datagram':
        this.#learnServer(frame);
        this.tracker.datagram(frame);
        break;
      case 'conn':
        this.tracker.conn(frame);
        break;
      case 'connStats':
        this.tracker.stats(frame);
        break;
      case 'flow':
        this.recorder.onFlow(frame);
        break;
      case 'listenerStats':
        this.recorder.onListenerStats(frame);
        break;
      case 'process':
        this.#changes.onProcess(frame);
        break;
      case 'listener':
        // Whoever starts is told under its name at once, not under that of who was there before it.
        if (frame.kind === 'opened') this.#refreshNames();
        this.#changes.onListener(frame);
        break;
      case 'tick':
        if (frame.lostData > this.#lostData) this.tracker.datagrams.doubt(frame.atMs);
        this.#lostData = frame.lostData;
        this.health.onTick(frame);
        break;
      case 'hello':
        // A new run of the loader: connection ids start anew.
        this.#lostData = 0;
        this.health.onHello();
        this.tracker.reset();
        this.aggregator.knowsOverflows = false;
        break;
      case 'probe':
        this.health.onProbe(frame);
        if (frame.name === LISTENER_PROBE && frame.attached) this.aggregator.knowsOverflows = true;
        break;
      default:
        break;
    }
  }

  /** Time has come to `nowMs`: expires, samples resources at window ends, flushes windows that are due. */
  advance(nowMs: number): void {
    this.tracker.tick(nowMs);
    this.recorder.retryDeferred(nowMs);
    this.#changes.tick(nowMs);
    this.#guard(nowMs);
    const { windowMs } = this.aggregator;
    const boundary = Math.floor(nowMs / windowMs) * windowMs;
    if (Number.isNaN(this.#sampledUntilMs)) {
      // The first sample is the starting point of all differences.
      this.#sampledUntilMs = boundary;
      this.aggregator.begin(boundary);
      this.#sample(nowMs);
    } else if (boundary > this.#sampledUntilMs) {
      this.#sampledUntilMs = boundary;
      this.recorder.countActive(this.tracker.connections, boundary - 1);
      this.recorder.countUnanswered(this.tracker.callers(), boundary);
      this.#resources.set(boundary - windowMs, this.#sample(nowMs));
      this.#refreshNames();
    }
    for (;;) {
      const start = this.aggregator.due(nowMs - this.#flushDelayMs);
      if (start === undefined) break;
      this.#flush(start);
    }
  }

  /** Flushes everything, also windows that are not over: the collector stops. */
  stop(nowMs: number): void {
    this.tracker.drain();
    this.recorder.retryDeferred(Infinity);
    this.advance(nowMs);
    // The last window is cut short, and so is its sample.
    const last = Math.floor(nowMs / this.aggregator.windowMs) * this.aggregator.windowMs;
    this.recorder.countActive(this.tracker.connections, nowMs);
    this.#resources.set(last, this.#sample(nowMs));
    for (;;) {
      const start = this.aggregator.due(nowMs + this.aggregator.windowMs);
      if (start === undefined) break;
      this.#flush(start);
    }
  }

  /** Nothing tells when a socket for datagrams is bound: who answers at one is known when it does, unless it listens there too. */
  #learnServer({ role, netns, tuple, pid, comm, cgroupId, atMs }: DatagramFrame): void {
    if (role !== 'server' || this.namer.endpoint(tuple.localAddress, tuple.localPort, netns, netns) !== undefined)
      return;
    const socket = { netns, pid, comm, cgroupId, atMs, backlog: 0, tuple };
    this.namer.learnListener({ type: 'listener', kind: 'discovered', ...socket });
  }

  #refreshNames(): void {
    const before = this.namingFile.problem;
    if (this.namingFile.refresh()) this.namer.use(this.namingFile.naming);
    const { problem } = this.namingFile;
    if (problem !== '' && problem !== before) this.#options.onNamingProblem?.(problem);
  }

  #sample(nowMs: number): readonly ResourceRecord[] {
    const pids = this.#changes.identities();
    for (const connection of this.tracker.callers()) {
      const { pid } = connection;
      if (pid === 0 || pids.has(pid) || connection.layer7 === undefined) continue;
      if (this.#options.excludedPids?.has(pid)) continue;
      pids.set(pid, this.namer.process(pid, connection.netns, connection.comm));
    }
    this.#servicePids = pids;
    const sample = this.#sampler.sample(nowMs);
    for (const change of sample.changes)
      this.aggregator.addChange({ ...change, atMs: Math.round(change.atMs) } satisfies ChangeRecord);
    return sample.resources;
  }

  #guard(nowMs: number): void {
    if (this.#options.usage === undefined || nowMs - this.#lastCheckMs < 1_000) return;
    const usage = this.#options.usage();
    const cpuUs = usage.cpuUs + this.health.loaderCpuUs;
    if (!Number.isNaN(this.#lastCheckMs)) {
      const ratio = (cpuUs - this.#lastCheckCpuUs) / ((nowMs - this.#lastCheckMs) * 1000);
      if (this.breaker.check(ratio, usage.memoryBytes)) {
        const isShedding = this.breaker.state !== 'closed';
        if (isShedding) this.tracker.shed();
        else this.tracker.shedding = false;
        this.#options.onShed?.(isShedding);
      }
    }
    this.#lastCheckMs = nowMs;
    this.#lastCheckCpuUs = cpuUs;
  }

  #flush(startMs: number): void {
    this.recorder.settleOverflows(this.tracker.connections);
    const window = this.aggregator.flush(startMs);
    const resources = this.#resources.get(startMs) ?? [];
    this.#emit('call', startMs, window.calls);
    this.#emit('tcp', startMs, window.tcp);
    this.#emit('topology', startMs, window.topology);
    this.#emit('change', startMs, window.changes);
    this.#emit('resource', startMs, resources);
    const produced = {
      call: window.calls.length,
      tcp: window.tcp.length,
      topology: window.topology.length,
      change: window.changes.length,
      resource: resources.length,
    };
    for (const start of this.#resources.keys()) if (start <= startMs) this.#resources.delete(start);
    const usage = this.#options.usage?.() ?? { cpuUs: 0, memoryBytes: 0 };
    const { losses, evicted, shedEvents } = this.tracker.counters;
    const lost = {
      requests: losses.requests,
      shed_events: shedEvents,
      evicted_connections: evicted,
      unnamed_calls: this.recorder.unnamed,
      unattributed_flows: this.recorder.unattributed,
      late_events: this.aggregator.late,
      ...this.#options.lost?.(),
    };
    const { cpuUs, memoryBytes } = usage;
    this.#emit('health', startMs, [
      this.health.record(
        lost,
        window.capped,
        produced,
        this.breaker.state,
        cpuUs + this.health.loaderCpuUs,
        memoryBytes,
      ),
    ]);
  }

  #emit<T extends RecordType>(type: T, windowStartMs: number, records: readonly RecordOf[T][]): void {
    if (records.length === 0) return;
    const batch: Batch<T> = {
      schemaVersion: 1,
      type,
      environment: this.#options.environment,
      collector: this.name,
      windowStartMs,
      windowMs: this.aggregator.windowMs,
      sequence: 0,
      records,
    };
    this.#options.onBatch(batch as unknown as AnyBatch);
  }
}
