/** The collector as a configuration asks for it, on a bus. */
import type { Collector } from '../../collector/collector.ts';
import { runCollector } from '../../collector/collector.ts';
import { readNaming } from '../../collector/naming/naming-file.ts';
import type { Config } from '../config.ts';
import type { AnyBatch } from '../model/records.ts';

/** @throws {RcaError} RCA_BAD_CONFIG when the naming file is not there or broken; once running, its old names stay in force */
export function checkNaming({ collector }: Config): void {
  if (collector.namingFile !== null) readNaming(collector.namingFile);
}

export function startCollector(config: Config, publish: (batch: AnyBatch) => Promise<void>): Promise<Collector> {
  const { name, namingFile, netns, captureBytes, cpuLimitRatio, memoryLimitBytes } = config.collector;
  const excludePorts =
    config.bus.kind === 'kafka'
      ? config.bus.brokers.map((broker) => Number(broker.slice(broker.lastIndexOf(':') + 1)))
      : [];
  return runCollector({
    environment: config.environment,
    publish,
    netns,
    captureBytes,
    cpuLimitRatio,
    memoryLimitBytes,
    excludePorts,
    ...(name === null ? {} : { name }),
    ...(namingFile === null ? {} : { namingFile }),
    onNamingProblem: (problem) => console.error(`rootwalk: ${problem}; the names read before stay in force`),
  });
}

/** One line for the terminal: what is attached and what is not, and why. */
export function describeProbes(collector: Collector): string[] {
  const { probes } = collector.health();
  const missing = probes.filter((probe) => probe.state === 'missing');
  return [
    `${probes.length - missing.length} of ${probes.length} probes attached`,
    ...missing.map((probe) => `  not attached: ${probe.name}: ${probe.reason ?? 'unknown reason'}`),
  ];
}
