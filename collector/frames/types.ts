/**
 * What the loader says, decoded. All times are epoch milliseconds (fractions kept, about 0.3 µs fine); lengths of time
 * are ns where the name says so. An absent field is unknown, never zero.
 */
import type { EpochMs } from '../../src/model/units.ts';

export const ROLES = ['unknown', 'client', 'server'] as const;
export type Role = (typeof ROLES)[number];

/** Protocols the kernel side can infer; data frames carry those before `other` only. */
export type WireProtocol =
  | 'undetermined'
  | 'http1'
  | 'postgresql'
  | 'mysql'
  | 'redis'
  | 'fastcgi'
  | 'h2'
  | 'dns'
  | 'other'
  | 'tls'
  | 'http2'
  | 'excluded';

export type ConnKind = 'opened' | 'failed' | 'closed' | 'discovered';
export type ConnReason = 'none' | 'refused' | 'timed_out' | 'unreachable' | 'reset' | 'no_port' | 'aborted' | 'other';
export type ProcessKind = 'exec' | 'exit' | 'oom_kill';
export type ListenerKind = 'opened' | 'closed' | 'discovered';
export type Direction = 'send' | 'recv';
export type FlowKind = 'drop' | 'reset_sent' | 'synack_retransmit';

/** Of a socket: local and remote. Of a dropped packet: local is its source, remote its destination. */
export interface Tuple {
  /** 4, 6, 1 (a Unix socket; it has no ports), or 0 when not known. */
  readonly family: number;
  /** Textual, canonical: `10.0.0.1`, `fe80::1`, `unix:1f03-fe01`. */
  readonly localAddress: string;
  readonly localPort: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
}

/** Totals since the connection began, except gauges and what says otherwise. */
export interface TcpTotals {
  /** Payload, retransmissions not counted. */
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly segmentsOut: number;
  readonly segmentsIn: number;
  /** Segments, by our own hook, since the connection is known to the collector. */
  readonly retransmits: number;
  /** Segments, the kernel's count since the connection began. */
  readonly totalRetransmits: number;
  /** Smoothed; absent before the first sample. */
  readonly srttUs?: number;
  readonly lastRttUs?: number;
  readonly resetsSent: number;
  readonly resetsReceived: number;
  /** Time stalled by the peer's receive window. */
  readonly rwndLimitedMs?: number;
  /** Gauge; 0: the peer's window is closed now. */
  readonly sendWindowBytes: number;
  readonly receiveWindowBytes: number;
  /** Gauge: in the receive queue, not yet read by the application. */
  readonly unreadBytes: number;
  /** Gauge: written by the application, not yet sent. */
  readonly unsentBytes: number;
  /** Payload that sent no data frame because its protocol is not known (mod 2^32). */
  readonly unknownBytes: number;
}

export interface HelloFrame {
  readonly type: 'hello';
  readonly wireVersion: number;
  readonly atMs: EpochMs;
  readonly intervalMs: number;
  readonly captureBytes: number;
  readonly cpuCount: number;
  readonly loaderPid: number;
  readonly ownNetns: number;
  readonly kernelRelease: string;
}

export interface ProbeFrame {
  readonly type: 'probe';
  readonly name: string;
  readonly attached: boolean;
  readonly errno: number;
  readonly reason: string;
}

export interface NameFrame {
  readonly type: 'name';
  readonly space: 'drop_reason';
  readonly id: number;
  readonly name: string;
}

export interface ReadyFrame {
  readonly type: 'ready';
  readonly atMs: EpochMs;
  readonly probesAttached: number;
  readonly probesMissing: number;
}

/** End of an interval; all counters are totals since the loader began. */
export interface TickFrame {
  readonly type: 'tick';
  readonly atMs: EpochMs;
  readonly interval: number;
  readonly final: boolean;
  readonly controlEvents: number;
  readonly dataEvents: number;
  readonly lostControl: number;
  readonly lostData: number;
  readonly lostConns: number;
  readonly lostFlows: number;
  readonly lostStash: number;
  readonly faults: number;
  readonly unknownCalls: number;
  readonly unknownBytes: number;
  readonly stdoutBlockedNs: number;
  readonly bpfRunNs: number;
  readonly bpfRunCount: number;
  readonly loaderCpuUs: number;
  /** Connections followed now. */
  readonly conns: number;
  /** Calls with payload that went by while capture was paused. */
  readonly shedCalls: number;
  /** Runs of a probe that the kernel left out because it was running on that CPU already. */
  readonly missedRuns: number;
}

export interface ConnFrame {
  readonly type: 'conn';
  readonly kind: ConnKind;
  readonly atMs: EpochMs;
  readonly connId: number;
  readonly netns: number;
  readonly role: Role;
  readonly protocol: WireProtocol;
  readonly tuple: Tuple;
  /** Process that owns it; 0 when not known (yet). */
  readonly pid: number;
  readonly tid: number;
  readonly comm: string;
  readonly cgroupId: number;
  readonly startMs: EpochMs;
  /** Client: SYN to established or to failure. Server: wait in the accept queue. Absent when not seen. */
  readonly connectNs?: number;
  readonly reason: ConnReason;
  readonly errno: number;
  readonly synRetransmits: number;
  readonly totals: TcpTotals;
  /** When its process closed it, while the other end was open; absent when the other end, or an error, came first. */
  readonly leftMs?: EpochMs;
}

export interface ProcessFrame {
  readonly type: 'process';
  readonly kind: ProcessKind;
  readonly atMs: EpochMs;
  /** 0 when not known. */
  readonly netns: number;
  readonly pid: number;
  readonly parentPid: number;
  readonly uid: number;
  readonly comm: string;
  readonly cgroupId: number;
  /** exec only. */
  readonly path: string;
  readonly exitCode: number;
  readonly signal: number;
  readonly startMs?: EpochMs;
}

export interface ListenerFrame {
  readonly type: 'listener';
  readonly kind: ListenerKind;
  readonly atMs: EpochMs;
  readonly netns: number;
  readonly tuple: Tuple;
  readonly pid: number;
  readonly comm: string;
  readonly cgroupId: number;
  readonly backlog: number;
}

/** One system call that moved payload on a connection. */
export interface DataFrame {
  readonly type: 'data';
  readonly connId: number;
  readonly netns: number;
  readonly pid: number;
  readonly tid: number;
  readonly direction: Direction;
  readonly role: Role;
  readonly protocol: WireProtocol;
  /** Index into RW_OP of wire.h. */
  readonly op: number;
  readonly enterMs: EpochMs;
  readonly exitMs: EpochMs;
  /**
   * TCP sequence number of the first byte, per direction. The next frame's is this plus fullLength (mod 2^32); if not,
   * the bytes between were not seen (lost, or moved by io_uring or splice).
   */
  readonly streamSeq: number;
  /** Bytes the call moved; head.length of them were captured, always the first ones. */
  readonly fullLength: number;
  /** A view of the chunk it came in: copy it to keep it. */
  readonly head: Uint8Array;
  /** Part of the head could not be read. */
  readonly fault: boolean;
  /** sendfile or splice: there is no head. */
  readonly noPayload: boolean;
}

/** One datagram that a process sent or read, or why the kernel sent none, or knows that no answer will come. */
export interface DatagramFrame {
  readonly type: 'datagram';
  /** Sent: when the call began. Received: when it ended. */
  readonly atMs: EpochMs;
  readonly netns: number;
  readonly pid: number;
  readonly tid: number;
  readonly comm: string;
  readonly cgroupId: number;
  /** `unknown`: both ports are the protocol's. */
  readonly role: Role;
  readonly protocol: WireProtocol;
  /** `0.0.0.0` or `::` as local address: not known, the socket is bound to all. */
  readonly tuple: Tuple;
  readonly direction: Direction;
  readonly fullLength: number;
  /** 0, or why there is no payload. */
  readonly errno: number;
  /** A view of the chunk it came in: copy it to keep it. */
  readonly head: Uint8Array;
}

export interface ConnStatsFrame {
  readonly type: 'connStats';
  readonly atMs: EpochMs;
  readonly connId: number;
  readonly netns: number;
  readonly pid: number;
  readonly role: Role;
  readonly protocol: WireProtocol;
  readonly tuple: Tuple;
  /** Kernel's TCP state number; 1 = established. */
  readonly state: number;
  readonly totals: TcpTotals;
}

/** Counts of one interval, not totals. */
export interface FlowFrame {
  readonly type: 'flow';
  readonly kind: FlowKind;
  readonly atMs: EpochMs;
  readonly netns: number;
  readonly tuple: Tuple;
  /** Kernel drop reason (kind drop), else empty. NOT_SPECIFIED and QUEUE_PURGE are never told: they are no losses. */
  readonly reason: string;
  readonly count: number;
}

/** Connections a listener lost in one interval, because it could not take them: not totals. */
export interface ListenerStatsFrame {
  readonly type: 'listenerStats';
  readonly atMs: EpochMs;
  readonly netns: number;
  readonly tuple: Tuple;
  readonly pid: number;
  /** SYNs and finished handshakes dropped for a full accept queue (the kernel's ListenDrops of this socket). */
  readonly drops: number;
  /** Connections that wait for accept now, and how many may. */
  readonly queue: number;
  readonly backlog: number;
}

export type Frame =
  | HelloFrame
  | ProbeFrame
  | NameFrame
  | ReadyFrame
  | TickFrame
  | ConnFrame
  | ProcessFrame
  | ListenerFrame
  | DataFrame
  | DatagramFrame
  | ConnStatsFrame
  | FlowFrame
  | ListenerStatsFrame;
