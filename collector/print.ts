/**
 * Prints the records of each window as they are made.
 *
 *     node bin/node24.mjs collector/print.ts --netns lab-m1 --naming lab.json --type call,tcp --seconds 20
 */
import { parseArgs } from 'node:util';
import type { AnyBatch, CallRecord, TcpRecord } from '../src/model/records.ts';
import { runCollector } from './collector.ts';

const { values } = parseArgs({
  options: {
    netns: { type: 'string', multiple: true, default: [] },
    naming: { type: 'string' },
    type: { type: 'string', default: 'call,tcp,change,health' },
    json: { type: 'boolean', default: false },
    seconds: { type: 'string' },
    capture: { type: 'string' },
    'exclude-port': { type: 'string', multiple: true, default: [] },
  },
});
const types = new Set(values.type.split(','));

function edge(record: CallRecord | TcpRecord): string {
  const end = (service: string, instance: string | undefined, machine: string | undefined): string =>
    `${instance ?? service}${machine === undefined ? '' : `/${machine}`}`;
  const caller = end(record.caller, record.callerInstance, record.callerMachine);
  return `${record.side.padEnd(6)} ${caller} -> ${end(record.callee, record.calleeInstance, record.calleeMachine)}`;
}

function lines(batch: AnyBatch): readonly string[] {
  if (values.json) return [JSON.stringify(batch)];
  switch (batch.type) {
    case 'call':
      return batch.records.map((record) => {
        const mean = ((record.durationSumUs ?? 0) / record.count / 1000).toFixed(2);
        const error = record.errorType === undefined ? '' : ` ${record.errorType}`;
        return `${edge(record)} ${record.protocol} "${record.operation}" ${record.status}${error} ×${record.count} mean ${mean} ms`;
      });
    case 'tcp':
      return batch.records.map(({ calleePort, drops, connectFailures, ...record }) => {
        const more = Object.entries({ ...drops, ...connectFailures }).map(([name, count]) => `${name}=${count}`);
        const rtt = record.rttCount === undefined ? '-' : ((record.rttSumUs ?? 0) / record.rttCount).toFixed(0);
        return (
          `${edge(record)}:${calleePort} out ${record.segmentsOut} in ${record.segmentsIn} retr ${record.retransmits} ` +
          `connects ${record.connects} active ${record.activeConnections} rtt ${rtt} µs ${more.join(' ')}`
        );
      });
    default:
      return batch.records.map((record) => JSON.stringify(record));
  }
}

const collector = await runCollector({
  environment: 'print',
  netns: values.netns,
  excludePorts: values['exclude-port'].map(Number),
  ...(values.naming === undefined ? {} : { namingFile: values.naming }),
  ...(values.capture === undefined ? {} : { captureBytes: Number(values.capture) }),
  publish: async (batch) => {
    if (!types.has(batch.type)) return;
    const time = new Date(batch.windowStartMs).toISOString().slice(11, 19);
    for (const line of lines(batch)) console.log(`${time} ${batch.type.padEnd(8)} ${line}`);
  },
});
const { probes } = collector.health();
const missing = probes.filter((probe) => probe.state === 'missing').map((probe) => `${probe.name} (${probe.reason})`);
console.error(
  `${probes.length - missing.length} probes attached${missing.length > 0 ? `, missing: ${missing.join(', ')}` : ''}`,
);

await new Promise<void>((resolve) => {
  // `print.ts | head` is a way to stop.
  process.stdout.on('error', () => resolve());
  process.once('SIGINT', resolve);
  process.once('SIGTERM', resolve);
  if (values.seconds !== undefined) setTimeout(resolve, Number(values.seconds) * 1000);
});
await collector.stop();
