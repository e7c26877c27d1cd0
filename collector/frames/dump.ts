/**
 * Prints what the loader says, for people.
 *
 *     node bin/node24.mjs collector/frames/dump.ts --netns lab-a --type conn,data,flow
 */
import { readdirSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { parseArgs } from 'node:util';
import { buildCollector } from '../build.ts';
import { isUnix } from './address.ts';
import { LoaderProcess } from './loader-process.ts';
import type { Frame, TcpTotals, Tuple } from './types.ts';

const USAGE = `usage: dump.ts [--netns NAME|PATH|INODE]… [--type LIST] [--json] [--seconds N] [--capture BYTES] [--bpf-stats]
types: hello probe name ready tick conn process listener data datagram connStats flow (all but name by default)`;

function netnsInode(text: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  return statSync(text.includes('/') ? text : `/run/netns/${text}`).ino;
}

const names = new Map<number, string>();
function nameNamespaces(): void {
  try {
    for (const name of readdirSync('/run/netns')) names.set(statSync(`/run/netns/${name}`).ino, basename(name));
  } catch {
    // No named namespaces here.
  }
}

function tupleText(tuple: Tuple, arrow: string): string {
  const end = (address: string, port: number): string =>
    isUnix(address) ? address : `${tuple.family === 6 ? `[${address}]` : address}:${port}`;
  return `${end(tuple.localAddress, tuple.localPort)} ${arrow} ${end(tuple.remoteAddress, tuple.remotePort)}`;
}

function totalsText(totals: TcpTotals): string {
  const rtt = totals.srttUs === undefined ? '-' : `${totals.srttUs}us`;
  return (
    `out=${totals.bytesSent}B/${totals.segmentsOut} in=${totals.bytesReceived}B/${totals.segmentsIn} ` +
    `retr=${totals.retransmits}/${totals.totalRetransmits} rtt=${rtt} rst=${totals.resetsSent}/${totals.resetsReceived}`
  );
}

function headText(head: Uint8Array): string {
  return Buffer.from(head.subarray(0, 60))
    .toString('latin1')
    .replace(/[^\x20-\x7e]/g, '.');
}

function text(frame: Frame): string {
  switch (frame.type) {
    case 'hello':
      return `kernel ${frame.kernelRelease}, wire ${frame.wireVersion}, ${frame.cpuCount} cpus, loader ${frame.loaderPid}`;
    case 'probe':
      return `${frame.name} ${frame.attached ? 'attached' : `MISSING: ${frame.reason}`}`;
    case 'name':
      return `${frame.space} ${frame.id} ${frame.name}`;
    case 'ready':
      return `${frame.probesAttached} attached, ${frame.probesMissing} missing`;
    case 'tick':
      return (
        `conns=${frame.conns} control=${frame.controlEvents} data=${frame.dataEvents} ` +
        `lost=${frame.lostControl}/${frame.lostData}/${frame.lostConns}/${frame.lostFlows}/${frame.lostStash} ` +
        `missed=${frame.missedRuns} shed=${frame.shedCalls} unknown=${frame.unknownCalls} bpf=${(frame.bpfRunNs / 1e6).toFixed(1)}ms cpu=${(frame.loaderCpuUs / 1e3).toFixed(1)}ms`
      );
    case 'conn':
      return (
        `${frame.kind} #${frame.connId} ${frame.role} ${tupleText(frame.tuple, '->')} ${frame.comm}[${frame.pid}] ` +
        `${frame.protocol} connect=${frame.connectNs === undefined ? '-' : `${(frame.connectNs / 1e3).toFixed(0)}us`} ` +
        `reason=${frame.reason}${frame.synRetransmits > 0 ? ` syn-retr=${frame.synRetransmits}` : ''} ${totalsText(frame.totals)}`
      );
    case 'process':
      return `${frame.kind} ${frame.comm}[${frame.pid}] ${frame.path} code=${frame.exitCode} signal=${frame.signal}`;
    case 'listener':
      return `${frame.kind} ${frame.tuple.localAddress}:${frame.tuple.localPort} ${frame.comm}[${frame.pid}] backlog=${frame.backlog}`;
    case 'data':
      return (
        `${frame.direction} #${frame.connId} ${frame.protocol} seq=${frame.streamSeq} len=${frame.fullLength} ` +
        `head=${frame.head.length}${frame.noPayload ? ' (sendfile)' : ''} "${headText(frame.head)}"`
      );
    case 'datagram':
      return (
        `${frame.direction} ${frame.role} ${tupleText(frame.tuple, '->')} ${frame.comm}[${frame.pid}] ${frame.protocol} ` +
        `len=${frame.fullLength}${frame.errno === 0 ? '' : ` errno=${frame.errno}`} "${headText(frame.head)}"`
      );
    case 'connStats':
      return `#${frame.connId} state=${frame.state} ${frame.role} ${tupleText(frame.tuple, '->')} ${totalsText(frame.totals)}`;
    case 'listenerStats':
      return `${frame.tuple.localAddress}:${frame.tuple.localPort} lost=${frame.drops} queue=${frame.queue}/${frame.backlog}`;
    case 'flow':
      return `${frame.kind} ${frame.reason} x${frame.count} ${tupleText(frame.tuple, '=>')}`;
  }
}

const { values } = parseArgs({
  options: {
    netns: { type: 'string', multiple: true, default: [] },
    type: { type: 'string' },
    json: { type: 'boolean', default: false },
    seconds: { type: 'string' },
    capture: { type: 'string' },
    'bpf-stats': { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log(USAGE);
  process.exit(0);
}
nameNamespaces();
const wanted = values.type === undefined ? undefined : new Set(values.type.split(','));
const { loader } = await buildCollector();
const loaderProcess = new LoaderProcess(
  {
    loader,
    netns: values.netns.map(netnsInode),
    bpfStats: values['bpf-stats'],
    ...(values.capture === undefined ? {} : { captureBytes: Number(values.capture) }),
  },
  (frame) => {
    if (wanted === undefined ? frame.type === 'name' : !wanted.has(frame.type)) return;
    if (values.json) {
      console.log(
        JSON.stringify(frame, (key, value) => (key === 'head' ? Buffer.from(value).toString('latin1') : value)),
      );
      return;
    }
    const at = 'atMs' in frame ? new Date(frame.atMs).toISOString().slice(11, 23) : '            ';
    const netns = 'netns' in frame ? ` ${names.get(frame.netns) ?? frame.netns}` : '';
    console.log(`${at} ${frame.type}${netns} ${text(frame)}`);
  },
);
const end = async (): Promise<void> => {
  await loaderProcess.stop();
  process.exit(0);
};
process.on('SIGINT', end);
process.on('SIGTERM', end);
await loaderProcess.start();
if (values.seconds !== undefined) setTimeout(end, Number(values.seconds) * 1000);
