/** The collector: loader, pipeline and publishing joined, with a clock. */
import { statSync } from 'node:fs';
import { RcaError } from '../src/model/errors.ts';
import type { AnyBatch } from '../src/model/records.ts';
import { buildCollector } from './build.ts';
import type { LoaderHealth } from './frames/loader-process.ts';
import { LoaderProcess } from './frames/loader-process.ts';
import { Outbox } from './outbox.ts';
import type { PipelineOptions } from './pipeline.ts';
import { CollectorPipeline } from './pipeline.ts';

export interface CollectorOptions
  extends Pick<
    PipelineOptions,
    | 'environment'
    | 'name'
    | 'namingFile'
    | 'onNamingProblem'
    | 'windowMs'
    | 'flushDelayMs'
    | 'cpuLimitRatio'
    | 'memoryLimitBytes'
    | 'procRoot'
    | 'cgroupRoot'
  > {
  /** Network namespaces to watch: inode, name under /run/netns, or path; none means all. */
  readonly netns?: readonly (string | number)[];
  /** Bytes of payload captured per system call, 64 to 4096. */
  readonly captureBytes?: number;
  /** Ports whose traffic is neither captured nor reported: the bus's own. */
  readonly excludePorts?: readonly number[];
  readonly excludePids?: readonly number[];
  /** Path of a built loader; built when absent. */
  readonly loader?: string;
  readonly bpfStats?: boolean;
  /** Takes each finished batch; a rejection is counted as lost. `busPublisher` sends them to a bus. */
  readonly publish: (batch: AnyBatch) => Promise<void>;
}

export interface Collector {
  readonly name: string;
  health(): LoaderHealth;
  /** For tools and tests: the state behind the records. */
  readonly pipeline: CollectorPipeline;
  /** Takes the last frames, flushes all windows, waits until they are published. */
  stop(): Promise<void>;
}

/** How often time is told to the pipeline. */
const ADVANCE_MS = 250;

/** Inode of a network namespace given by inode, name or path. */
export function netnsInode(netns: string | number): number {
  if (typeof netns === 'number') return netns;
  if (/^\d+$/.test(netns)) return Number(netns);
  const path = netns.includes('/') ? netns : `/run/netns/${netns}`;
  try {
    return statSync(path).ino;
  } catch (cause) {
    throw new RcaError(
      'RCA_BAD_CONFIG',
      `collector.netns: expected an inode, a name under /run/netns or a path, found ${JSON.stringify(netns)} (${path} is not there). Mend: "ip netns list" shows the names`,
      {},
      cause,
    );
  }
}

/**
 * Starts observing this host; resolves when every probe is attached or reported missing.
 *
 * @throws {RcaError} RCA_ENVIRONMENT when the loader cannot be built or started, with its words
 */
export async function runCollector(options: CollectorOptions): Promise<Collector> {
  const loaderPath = options.loader ?? (await buildCollector()).loader;
  const excludedPids = new Set([process.pid, ...(options.excludePids ?? [])]);
  const outbox = new Outbox(options.publish);

  const pipeline = new CollectorPipeline({
    ...options,
    excludedPids,
    excludedPorts: options.excludePorts ?? [],
    lost: () => ({ publish_failed: outbox.lost }),
    onShed: (isShedding) => loader.pauseCapture(isShedding),
    usage: () => {
      const { user, system } = process.cpuUsage();
      return { cpuUs: user + system, memoryBytes: process.memoryUsage.rss() };
    },
    onBatch: (batch) => outbox.put(batch),
  });

  const loader = new LoaderProcess(
    {
      loader: loaderPath,
      netns: (options.netns ?? []).map(netnsInode),
      ...(options.captureBytes === undefined ? {} : { captureBytes: options.captureBytes }),
      excludePorts: options.excludePorts ?? [],
      excludePids: [...excludedPids],
      ...(options.bpfStats === undefined ? {} : { bpfStats: options.bpfStats }),
    },
    (frame) => {
      if (frame.type === 'hello') excludedPids.add(frame.loaderPid);
      pipeline.frame(frame);
    },
  );
  await loader.start();
  let timer: NodeJS.Timeout | undefined;
  // Aligned to the epoch like the windows are, so that resources are sampled just behind a window's end.
  const advance = (): void => {
    const nowMs = Date.now();
    pipeline.advance(nowMs);
    timer = setTimeout(advance, ADVANCE_MS - (nowMs % ADVANCE_MS));
  };
  advance();

  return {
    name: pipeline.name,
    pipeline,
    health: () => loader.health(),
    async stop() {
      clearTimeout(timer);
      await loader.stop();
      pipeline.stop(Date.now());
      await outbox.drain();
    },
  };
}
