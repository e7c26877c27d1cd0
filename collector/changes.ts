/** Change records: listeners that open and close, service processes that start, end or are killed. */
import { isFailure } from '../src/model/crash.ts';
import type { ChangeKind, ChangeRecord } from '../src/model/records.ts';
import { isUnix } from './frames/address.ts';
import type { ListenerFrame, ProcessFrame } from './frames/types.ts';
import type { Identity, Namer } from './naming/namer.ts';
import type { PortRange } from './naming/ports.ts';
import { isEphemeral } from './naming/ports.ts';

/** A process that listened within this time after its exec has just been started. */
const START_MS = 60_000;
/** Names of ended processes are kept a moment: their last events may still be on the way. */
const FORGET_AFTER_MS = 5_000;
const MAX_PIDS = 50_000;
/** ILL, ABRT, BUS, FPE, KILL, SEGV, SYS: nobody who ends a process in order sends them. */
const FATAL_SIGNALS = new Set([4, 6, 7, 8, 9, 11, 31]);

interface Listening {
  readonly netns: number;
  readonly comm: string;
  /** As of the last look; the process may be gone when it is needed. */
  identity: Identity;
}

export class Changes {
  readonly #namer: Namer;
  readonly #ephemeral: PortRange;
  readonly #emit: (change: ChangeRecord) => void;
  /** exec seen: pid -> time and path. */
  readonly #started = new Map<number, { readonly atMs: number; readonly path: string }>();
  /** Processes that own a listener. */
  readonly #listening = new Map<number, Listening>();
  readonly #forget: { readonly pid: number; readonly atMs: number }[] = [];
  readonly #oomKilled = new Set<number>();

  constructor(namer: Namer, ephemeral: PortRange, emit: (change: ChangeRecord) => void) {
    this.#namer = namer;
    this.#ephemeral = ephemeral;
    this.#emit = emit;
  }

  /** Processes that own a listener, by pid, under the names in force now. */
  identities(): Map<number, Identity> {
    const found = new Map<number, Identity>();
    for (const [pid, process] of this.#listening) {
      process.identity = this.#namer.process(pid, process.netns, process.comm);
      found.set(pid, process.identity);
    }
    return found;
  }

  onListener(frame: ListenerFrame): void {
    const address = `${frame.tuple.localAddress}:${frame.tuple.localPort}`;
    if (frame.kind === 'closed') {
      const { localAddress, localPort } = frame.tuple;
      const owner = this.#namer.endpoint(localAddress, localPort, frame.netns, frame.netns);
      const identity = owner ?? this.#listening.get(frame.pid)?.identity;
      if (identity !== undefined) this.#change('listener_closed', frame.atMs, identity, { detail: { address } });
      this.#namer.closeListener(frame);
      if (isEphemeral(this.#ephemeral, localPort)) this.#namer.forgetListener(frame);
      return;
    }
    // Told with its first call: who made it may have gone, and left it to others.
    const isUnixSocket = isUnix(frame.tuple.localAddress);
    if (isUnixSocket && this.#namer.findProcess(frame.pid, frame.netns) === undefined) return;
    const identity = this.#namer.learnListener(frame);
    if (frame.pid !== 0) remember(this.#listening, frame.pid, { netns: frame.netns, comm: frame.comm, identity });
    if (frame.kind !== 'opened' && !isUnixSocket) return;
    const started = this.#started.get(frame.pid);
    if (started !== undefined && frame.atMs - started.atMs < START_MS) {
      this.#started.delete(frame.pid);
      this.#change('process_start', started.atMs, identity, { detail: { path: started.path, pid: String(frame.pid) } });
    }
    if (frame.kind === 'opened') this.#change('listener_opened', frame.atMs, identity, { detail: { address } });
  }

  onProcess(frame: ProcessFrame): void {
    if (frame.kind === 'exec') {
      this.#namer.forget(frame.pid);
      remember(this.#started, frame.pid, { atMs: frame.atMs, path: frame.path });
      return;
    }
    const identity = this.#named(frame.pid) ?? this.#listening.get(frame.pid)?.identity;
    if (frame.kind === 'oom_kill') {
      this.#oomKilled.add(frame.pid);
      const victim = identity ?? this.#namer.process(frame.pid, frame.netns, frame.comm);
      this.#change('oom_kill', frame.atMs, victim, {
        signal: 9,
        detail: { pid: String(frame.pid), ...(frame.comm === '' ? {} : { comm: frame.comm }) },
      });
      return;
    }
    const wasOomKilled = this.#oomKilled.delete(frame.pid);
    const isProgram = this.#started.delete(frame.pid);
    this.#forget.push({ pid: frame.pid, atMs: frame.atMs + FORGET_AFTER_MS });
    const whose = identity ?? this.#master(frame, isProgram);
    if (whose === undefined) return;
    this.#listening.delete(frame.pid);
    this.#change('process_exit', frame.atMs, whose, {
      ...(frame.signal === 0 ? { exitCode: frame.exitCode } : { signal: frame.signal }),
      detail: { pid: String(frame.pid), ...(wasOomKilled ? { cause: 'oom_kill' } : {}) },
    });
  }

  tick(nowMs: number): void {
    while (this.#forget.length > 0 && (this.#forget[0]?.atMs ?? Infinity) <= nowMs) {
      const { pid } = this.#forget.shift() ?? { pid: 0 };
      this.#namer.forget(pid);
    }
  }

  /**
   * A worker that a signal killed is told as its master's, which owns the listener: one that was forked and runs the same
   * program; of one that serves a pool, as the pool's. That it ends in order is its master's business. One that is a program
   * of its own (Node's clusters) crashed also by its code; forked ones end with codes when they turn a client away (PostgreSQL).
   */
  #master({ pid, parentPid, netns, comm, signal, exitCode }: ProcessFrame, isProgram: boolean): Identity | undefined {
    const crashed = FATAL_SIGNALS.has(signal) || (isProgram && signal === 0 && isFailure(exitCode));
    const master = crashed ? this.#listening.get(parentPid) : undefined;
    const pooled = master === undefined ? undefined : this.#namer.findPooled(pid, netns);
    if (pooled !== undefined) return pooled;
    return master?.comm === comm ? (this.#named(parentPid) ?? master.identity) : undefined;
  }

  #named(pid: number): Identity | undefined {
    return this.#namer.isNamed(pid) ? this.#namer.process(pid, 0, '') : undefined;
  }

  #change(
    change: ChangeKind,
    atMs: number,
    identity: Identity,
    more: Partial<Pick<ChangeRecord, 'signal' | 'exitCode' | 'detail'>>,
  ): void {
    this.#emit({
      atMs: Math.round(atMs),
      change,
      entityKind: 'instance',
      entity: identity.instance,
      service: identity.service,
      machine: identity.machine,
      ...more,
    });
  }
}

function remember<V>(map: Map<number, V>, pid: number, value: V): void {
  if (map.size >= MAX_PIDS && !map.has(pid)) {
    const oldest = map.keys().next().value;
    if (oldest !== undefined) map.delete(oldest);
  }
  map.set(pid, value);
}
