/** Counters of the whole machine from /proc. */
import { join } from 'node:path';
import { readKeys, readNumber, readPairs, readPressure, readText } from './files.ts';

const TICK_US = 10_000;
const SECTOR_BYTES = 512;

export type Counters = Readonly<Record<string, number | undefined>>;

/** Totals since boot; differences of two readings go into a record under the same names. */
export function hostCounters(procRoot: string): Counters {
  const stat = readText(join(procRoot, 'stat'));
  const cpu = /^cpu\s+(.*)$/m
    .exec(stat ?? '')?.[1]
    ?.split(' ')
    .map(Number);
  const at = (index: number): number => (cpu?.[index] ?? 0) * TICK_US;
  const vm = readKeys(join(procRoot, 'vmstat'));
  return {
    // user nice system idle iowait irq softirq steal
    cpuUsedUs: cpu === undefined ? undefined : at(0) + at(1) + at(2) + at(5) + at(6),
    softirqTimeUs: cpu === undefined ? undefined : at(6),
    stealTimeUs: cpu === undefined ? undefined : at(7),
    majorFaults: vm?.get('pgmajfault'),
    oomKills: vm?.get('oom_kill'),
    psiCpuSomeUs: readPressure(join(procRoot, 'pressure', 'cpu')),
    psiMemorySomeUs: readPressure(join(procRoot, 'pressure', 'memory')),
    psiIoSomeUs: readPressure(join(procRoot, 'pressure', 'io')),
    runQueueDelayUs: runQueueDelay(procRoot),
    ...diskCounters(procRoot),
  };
}

/** Values of now, not differences. */
export function hostGauges(procRoot: string): Counters {
  const stat = readText(join(procRoot, 'stat')) ?? '';
  const memory = readKeys(join(procRoot, 'meminfo'));
  const total = memory?.get('MemTotal');
  const available = memory?.get('MemAvailable');
  const files = readText(join(procRoot, 'sys/fs/file-nr'))?.trim().split(/\s+/).map(Number);
  return {
    cpuCount: stat.match(/^cpu\d+/gm)?.length,
    memoryUsedBytes: total === undefined || available === undefined ? undefined : (total - available) * 1024,
    memoryLimitBytes: total === undefined ? undefined : total * 1024,
    fdUsed: files?.[0],
    fdLimit: files?.[2],
  };
}

/** /proc/schedstat, version 15 and later: cpuN lines, eighth field = ns that tasks waited to run. */
function runQueueDelay(procRoot: string): number | undefined {
  let total: number | undefined;
  for (const line of readText(join(procRoot, 'schedstat'))?.split('\n') ?? []) {
    if (line.startsWith('cpu')) total = (total ?? 0) + Number(line.split(' ')[8] ?? 0) / 1000;
  }
  return total;
}

/** Whole disks only: partitions, loop and ram devices would count twice. */
function diskCounters(procRoot: string): Counters {
  const text = readText(join(procRoot, 'diskstats'));
  if (text === undefined) return {};
  let ops = 0;
  let read = 0;
  let written = 0;
  let time = 0;
  let seen = false;
  for (const line of text.split('\n')) {
    const fields = line.trim().split(/\s+/);
    const name = fields[2] ?? '';
    if (!/^(sd[a-z]+|vd[a-z]+|xvd[a-z]+|nvme\d+n\d+|mmcblk\d+)$/.test(name)) continue;
    seen = true;
    ops += Number(fields[3]) + Number(fields[7]);
    read += Number(fields[5]) * SECTOR_BYTES;
    written += Number(fields[9]) * SECTOR_BYTES;
    time += Number(fields[6]) + Number(fields[10]);
  }
  if (!seen) return {};
  return { diskOps: ops, diskReadBytes: read, diskWriteBytes: written, diskIoTimeUs: time * 1000 };
}

/** Counters of the network namespace a process lives in. */
export function netnsCounters(procRoot: string, pid: number | 'self'): Counters {
  const net = join(procRoot, String(pid), 'net');
  const ext = readPairs(join(net, 'netstat'));
  const snmp = readPairs(join(net, 'snmp'));
  return {
    listenOverflows: ext?.get('TcpExt.ListenOverflows'),
    tcpListenDrops: ext?.get('TcpExt.ListenDrops'),
    tcpRetransmittedSegments: snmp?.get('Tcp.RetransSegs'),
    tcpTimeouts: ext?.get('TcpExt.TCPTimeouts'),
    tcpSynRetransmits: ext?.get('TcpExt.TCPSynRetrans'),
    tcpAttemptFails: snmp?.get('Tcp.AttemptFails'),
    tcpEstablishedResets: snmp?.get('Tcp.EstabResets'),
    tcpResetsSent: snmp?.get('Tcp.OutRsts'),
    tcpZeroWindowAdvertisements: ext?.get('TcpExt.TCPToZeroWindowAdv'),
  };
}

export function netnsGauges(procRoot: string, pid: number | 'self'): Counters {
  const line = readText(join(procRoot, String(pid), 'net/stat/nf_conntrack'))?.split('\n')[1];
  const entries = line === undefined || line === '' ? undefined : Number.parseInt(line.split(/\s+/)[0] ?? '', 16);
  return {
    conntrackCount: Number.isNaN(entries ?? Number.NaN) ? undefined : entries,
    conntrackMax: readNumber(join(procRoot, 'sys/net/netfilter/nf_conntrack_max')),
  };
}
