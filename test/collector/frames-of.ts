/** Frames as the loader's decoder gives them, for tests that need no kernel. */
import type {
  ConnFrame,
  ConnStatsFrame,
  DataFrame,
  DatagramFrame,
  FlowFrame,
  ListenerFrame,
  TcpTotals,
  TickFrame,
  Tuple,
} from '../../collector/frames/types.ts';

export const TOTALS: TcpTotals = {
  bytesSent: 0,
  bytesReceived: 0,
  segmentsOut: 0,
  segmentsIn: 0,
  retransmits: 0,
  totalRetransmits: 0,
  resetsSent: 0,
  resetsReceived: 0,
  sendWindowBytes: 65_535,
  receiveWindowBytes: 65_535,
  unreadBytes: 0,
  unsentBytes: 0,
  unknownBytes: 0,
};

export function tuple(local: string, remote: string): Tuple {
  const [localAddress = '', localPort = '0'] = local.split(':');
  const [remoteAddress = '', remotePort = '0'] = remote.split(':');
  return { family: 4, localAddress, localPort: Number(localPort), remoteAddress, remotePort: Number(remotePort) };
}

export function conn(frame: Partial<ConnFrame> & Pick<ConnFrame, 'connId' | 'atMs' | 'kind' | 'tuple'>): ConnFrame {
  return {
    type: 'conn',
    netns: 1,
    role: 'client',
    protocol: 'undetermined',
    pid: 100,
    tid: 100,
    comm: 'app',
    cgroupId: 0,
    startMs: frame.atMs,
    reason: 'none',
    errno: 0,
    synRetransmits: 0,
    totals: TOTALS,
    ...frame,
  };
}

export function data(
  frame: Partial<Omit<DataFrame, 'head'>> & Pick<DataFrame, 'connId' | 'enterMs' | 'direction' | 'streamSeq'>,
  head: string | Buffer,
): DataFrame {
  const bytes = typeof head === 'string' ? Buffer.from(head) : head;
  return {
    type: 'data',
    netns: 1,
    pid: 100,
    tid: 100,
    role: 'client',
    protocol: 'http1',
    op: 1,
    exitMs: frame.enterMs,
    fullLength: bytes.length,
    fault: false,
    noPayload: false,
    head: bytes,
    ...frame,
  };
}

export function stats(
  frame: Partial<ConnStatsFrame> & Pick<ConnStatsFrame, 'connId' | 'atMs' | 'tuple'>,
  totals: Partial<TcpTotals>,
): ConnStatsFrame {
  return {
    type: 'connStats',
    netns: 1,
    pid: 100,
    role: 'client',
    protocol: 'http1',
    state: 1,
    ...frame,
    totals: { ...TOTALS, ...totals },
  };
}

export function flow(frame: Partial<FlowFrame> & Pick<FlowFrame, 'atMs' | 'tuple' | 'count'>): FlowFrame {
  return { type: 'flow', kind: 'drop', netns: 1, reason: 'NETFILTER_DROP', ...frame };
}

export function listener(frame: Partial<ListenerFrame> & Pick<ListenerFrame, 'atMs' | 'tuple' | 'pid'>): ListenerFrame {
  return { type: 'listener', kind: 'discovered', netns: 1, comm: 'srv', cgroupId: 0, backlog: 128, ...frame };
}

export function datagram(
  frame: Partial<Omit<DatagramFrame, 'head'>> & Pick<DatagramFrame, 'atMs' | 'tuple' | 'direction'>,
  head: Buffer = Buffer.alloc(0),
): DatagramFrame {
  return {
    type: 'datagram',
    netns: 1,
    pid: 100,
    tid: 100,
    comm: 'app',
    cgroupId: 0,
    role: 'client',
    protocol: 'dns',
    fullLength: head.length,
    errno: 0,
    head,
    ...frame,
  };
}

export function tick(frame: Partial<TickFrame> & Pick<TickFrame, 'atMs'>): TickFrame {
  return {
    type: 'tick',
    interval: 0,
    final: false,
    controlEvents: 0,
    dataEvents: 0,
    lostControl: 0,
    lostData: 0,
    lostConns: 0,
    lostFlows: 0,
    lostStash: 0,
    shedCalls: 0,
    missedRuns: 0,
    faults: 0,
    unknownCalls: 0,
    unknownBytes: 0,
    stdoutBlockedNs: 0,
    bpfRunNs: 0,
    bpfRunCount: 0,
    loaderCpuUs: 0,
    conns: 0,
    ...frame,
  };
}
