/** Runs the loader as a child process: frames out, health, clean stop, restart after a crash. */
import type { ChildProcessByStdio } from 'node:child_process';
import { spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { RcaError } from '../../src/model/errors.ts';
import type { ProbeState } from '../../src/model/records.ts';
import { COMMAND } from './layout.ts';
import type { Frame, HelloFrame, ReadyFrame, TickFrame } from './types.ts';
import { FrameDecoder } from './wire.ts';

export interface LoaderOptions {
  /** The built loader (LOADER_PATH of collector/build.ts). */
  readonly loader: string;
  /** Statistics every so often, aligned to the epoch; 1000. */
  readonly intervalMs?: number;
  readonly pollMs?: number;
  /** Bytes of payload per system call, 64 to 4096; 512. */
  readonly captureBytes?: number;
  /** Inodes of the network namespaces to watch; empty: all. */
  readonly netns?: readonly number[];
  /** Payload of these ports only (TCP counters are not filtered). */
  readonly includePorts?: readonly number[];
  readonly excludePorts?: readonly number[];
  /** The loader and this process are always left out. */
  readonly excludePids?: readonly number[];
  /** Probes to leave out, by name. */
  readonly disable?: readonly string[];
  readonly controlRingBytes?: number;
  readonly dataRingBytes?: number;
  readonly maxConns?: number;
  /** Measure the run time of the probes. */
  readonly bpfStats?: boolean;
  /** Start again after an unexpected end; true. */
  readonly restart?: boolean;
  /** After how long starting counts as failed; 20 s. */
  readonly startTimeoutMs?: number;
}

export type LoaderState = 'starting' | 'running' | 'restarting' | 'stopped' | 'failed';

export interface LoaderHealth {
  readonly state: LoaderState;
  readonly pid?: number;
  readonly hello?: HelloFrame;
  readonly probes: readonly ProbeState[];
  /** Ring buffer, map or stage -> events lost, over all restarts. */
  readonly lost: Readonly<Record<string, number>>;
  readonly framesReceived: number;
  readonly restarts: number;
  /** The last tick of the present run. */
  readonly tick?: TickFrame;
  readonly lastError?: string;
}

const FIRST_RESTART_MS = 1_000;
const LAST_RESTART_MS = 30_000;
/** After so long without a crash the next restart is quick again. */
const SETTLED_MS = 60_000;
const STOP_TIMEOUT_MS = 5_000;
const STDERR_BYTES = 8_192;

type Child = ChildProcessByStdio<Writable, Readable, Readable>;

/** Command line of the loader for these options. */
export function loaderArguments(options: LoaderOptions): readonly string[] {
  const one = (name: string, value: number | undefined): readonly string[] =>
    value === undefined ? [] : [`--${name}`, String(value)];
  const many = (name: string, values: readonly (number | string)[] | undefined): readonly string[] =>
    (values ?? []).flatMap((value) => [`--${name}`, String(value)]);
  return [
    ...one('interval-ms', options.intervalMs),
    ...one('poll-ms', options.pollMs),
    ...one('capture', options.captureBytes),
    ...one('control-ring', options.controlRingBytes),
    ...one('data-ring', options.dataRingBytes),
    ...one('max-conns', options.maxConns),
    ...many('netns', options.netns),
    ...many('include-port', options.includePorts),
    ...many('exclude-port', options.excludePorts),
    ...many('exclude-pid', options.excludePids),
    ...many('disable', options.disable),
    ...(options.bpfStats === true ? ['--bpf-stats'] : []),
  ];
}

/**
 * One supervised loader. Frames go to `sink` in the order of the wire; a `hello` frame means that a new run begins and
 * that connection ids start anew. When the sink is slow the loader waits, the kernel's buffers fill and their losses
 * are counted in the ticks.
 */
export class LoaderProcess {
  readonly #options: LoaderOptions;
  readonly #sink: (frame: Frame) => void;
  #child: Child | undefined;
  #exited: Promise<void> = Promise.resolve();
  #state: LoaderState = 'stopped';
  #stopping = false;
  #probes: ProbeState[] = [];
  #hello: HelloFrame | undefined;
  #tick: TickFrame | undefined;
  #lostBefore: Record<string, number> = {};
  #framesReceived = 0;
  #restarts = 0;
  #restartMs = FIRST_RESTART_MS;
  #restartTimer: NodeJS.Timeout | undefined;
  #lastError: string | undefined;
  #isPaused = false;

  constructor(options: LoaderOptions, sink: (frame: Frame) => void) {
    this.#options = options;
    this.#sink = sink;
  }

  /**
   * Starts the loader and waits until every probe is attached or reported missing.
   * @throws {RcaError} RCA_ENVIRONMENT with the loader's own words when it ends or takes too long
   */
  async start(): Promise<ReadyFrame> {
    this.#stopping = false;
    this.#state = 'starting';
    try {
      const ready = await this.#launch();
      this.#state = 'running';
      return ready;
    } catch (error) {
      this.#state = 'failed';
      throw error;
    }
  }

  /** Closes the loader's standard input and waits: the last statistics and a final tick still arrive. */
  async stop(): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#restartTimer);
    const child = this.#child;
    if (child !== undefined) {
      child.stdin.end();
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
      await this.#exited;
      clearTimeout(timer);
    }
    this.#state = 'stopped';
  }

  /**
   * Tells the loader whether payload shall be looked at: paused, the kernel side leaves the calls alone and counts them
   * (`shedCalls`); connections and counters go on. A loader that starts again is told again.
   */
  pauseCapture(isPaused: boolean): void {
    if (this.#isPaused === isPaused) return;
    this.#isPaused = isPaused;
    this.#child?.stdin.write(isPaused ? COMMAND.pause : COMMAND.resume);
  }

  health(): LoaderHealth {
    return {
      state: this.#state,
      ...(this.#child?.pid === undefined ? {} : { pid: this.#child.pid }),
      ...(this.#hello === undefined ? {} : { hello: this.#hello }),
      probes: [...this.#probes],
      lost: addLost(this.#lostBefore, this.#tick),
      framesReceived: this.#framesReceived,
      restarts: this.#restarts,
      ...(this.#tick === undefined ? {} : { tick: this.#tick }),
      ...(this.#lastError === undefined ? {} : { lastError: this.#lastError }),
    };
  }

  #launch(): Promise<ReadyFrame> {
    this.#lostBefore = addLost(this.#lostBefore, this.#tick);
    this.#tick = undefined;
    this.#probes = [];
    const { loader } = this.#options;
    let child: Child;
    try {
      child = spawn(loader, loaderArguments(this.#options), { stdio: ['pipe', 'pipe', 'pipe'] });
    } catch (error) {
      // Some errors come as an event, others, EPERM among them, at once.
      return Promise.reject(this.#notStarted(spawnWords(error as NodeJS.ErrnoException, loader)));
    }
    this.#child = child;
    const decoder = new FrameDecoder();
    let words = '';
    let settled = false;
    let isReady = false;
    let isOver = false;
    return new Promise<ReadyFrame>((resolve, reject) => {
      const refuse = (what: string): void => {
        const problem = this.#notStarted([what, words.trim()].filter((part) => part !== '').join(': '));
        if (settled) return;
        settled = true;
        reject(problem);
      };
      const timer = setTimeout(() => {
        refuse('not ready in time');
        child.kill('SIGKILL');
      }, this.#options.startTimeoutMs ?? 20_000);
      child.stdin.on('error', () => undefined);
      if (this.#isPaused) child.stdin.write(COMMAND.pause);
      child.stderr.on('data', (chunk: Buffer) => {
        words = (words + chunk.toString()).slice(-STDERR_BYTES);
      });
      child.stdout.on('data', (chunk: Buffer) => {
        try {
          decoder.push(chunk, (frame) => {
            this.#receive(frame);
            if (frame.type === 'ready' && !settled) {
              settled = true;
              isReady = true;
              clearTimeout(timer);
              resolve(frame);
            }
          });
        } catch (error) {
          // The stream cannot be followed any more: end this run, a new one starts clean.
          words += (error as Error).message;
          child.stdout.removeAllListeners('data');
          child.stdout.resume();
          child.kill('SIGKILL');
        }
      });
      this.#exited = new Promise((done) => {
        const startedMs = performance.now();
        // What cannot be spawned says so and closes: once is enough, in its own words.
        const finish = (what: string): void => {
          if (isOver) return;
          isOver = true;
          clearTimeout(timer);
          if (this.#child === child) this.#child = undefined;
          const wasRunning = isReady && !this.#stopping;
          if (!settled || !this.#stopping) refuse(what);
          done();
          if (wasRunning && this.#options.restart !== false) this.#restartLater(performance.now() - startedMs);
          else if (wasRunning) this.#state = 'failed';
        };
        child.once('error', (error) => finish(spawnWords(error, loader)));
        child.once('close', (code, signal) => finish(`ended with ${signal ?? `code ${code}`}`));
      });
    });
  }

  #notStarted(words: string): RcaError {
    this.#lastError = words;
    return new RcaError('RCA_ENVIRONMENT', `the loader did not start: ${words}`);
  }

  #restartLater(ranMs: number): void {
    if (ranMs > SETTLED_MS) this.#restartMs = FIRST_RESTART_MS;
    this.#state = 'restarting';
    clearTimeout(this.#restartTimer);
    this.#restartTimer = setTimeout(() => {
      if (this.#stopping) return;
      this.#restarts++;
      this.#launch().then(
        () => {
          this.#state = 'running';
        },
        () => {
          if (!this.#stopping) this.#restartLater(0);
        },
      );
    }, this.#restartMs);
    this.#restartMs = Math.min(this.#restartMs * 2, LAST_RESTART_MS);
  }

  #receive(frame: Frame): void {
    this.#framesReceived++;
    if (frame.type === 'hello') this.#hello = frame;
    else if (frame.type === 'tick') this.#tick = frame;
    else if (frame.type === 'probe') {
      this.#probes.push({
        name: frame.name,
        state: frame.attached ? 'attached' : 'missing',
        ...(frame.attached ? {} : { reason: frame.reason }),
      });
    }
    this.#sink(frame);
  }
}

/** Why the kernel would not run it, and the mend. */
export function spawnWords({ code, message }: NodeJS.ErrnoException, loader: string): string {
  switch (code) {
    case 'EPERM':
      return `${loader} may not be run with the capabilities of its file: more than may be had here (a container's bounding set, no_new_privs); "rootwalk doctor" says which to give it`;
    case 'EACCES':
      return `${loader} may not be run: no execute permission, or its file system is mounted noexec`;
    case 'ENOENT':
      return `${loader} is not there, or not for this machine; build it: rootwalk build`;
    default:
      return message;
  }
}

function addLost(before: Readonly<Record<string, number>>, tick: TickFrame | undefined): Record<string, number> {
  return {
    control_ring: (before.control_ring ?? 0) + (tick?.lostControl ?? 0),
    data_ring: (before.data_ring ?? 0) + (tick?.lostData ?? 0),
    conns_map: (before.conns_map ?? 0) + (tick?.lostConns ?? 0),
    flows_map: (before.flows_map ?? 0) + (tick?.lostFlows ?? 0),
    stash: (before.stash ?? 0) + (tick?.lostStash ?? 0),
  };
}
