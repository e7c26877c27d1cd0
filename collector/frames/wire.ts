/** Decodes the loader's byte stream (bpf/include/wire.h) into frames. */
import {
  CAPTURE_MAX_BYTES,
  FRAME_TYPE,
  RW_CONN_EVENT,
  RW_CONN_STATS,
  RW_DATA_EVENT,
  RW_DATAGRAM_EVENT,
  RW_FLOW_EVENT,
  RW_FRAME,
  RW_HELLO,
  RW_LISTENER_EVENT,
  RW_LISTENER_STATS,
  RW_NAME,
  RW_PROBE,
  RW_PROCESS_EVENT,
  RW_READY,
  RW_TICK,
  RW_TUPLE,
  WIRE_VERSION,
} from './layout.ts';
import { known, malformed, WireReader } from './reader.ts';
import type {
  ConnFrame,
  ConnKind,
  ConnReason,
  ConnStatsFrame,
  DataFrame,
  DatagramFrame,
  FlowFrame,
  FlowKind,
  Frame,
  HelloFrame,
  ListenerFrame,
  ListenerKind,
  ListenerStatsFrame,
  NameFrame,
  ProbeFrame,
  ProcessFrame,
  ProcessKind,
  ReadyFrame,
  TickFrame,
} from './types.ts';

const CONN_KINDS: readonly (ConnKind | undefined)[] = [undefined, 'opened', 'failed', 'closed', 'discovered'];
const REASONS: readonly ConnReason[] = [
  'none',
  'refused',
  'timed_out',
  'unreachable',
  'reset',
  'no_port',
  'aborted',
  'other',
];
const PROCESS_KINDS: readonly (ProcessKind | undefined)[] = [undefined, 'exec', 'exit', 'oom_kill'];
const LISTENER_KINDS: readonly (ListenerKind | undefined)[] = [undefined, 'opened', 'closed', 'discovered'];
const FLOW_KINDS: readonly (FlowKind | undefined)[] = [undefined, 'drop', 'reset_sent', 'synack_retransmit'];
const DATA_FAULT = 1;
const DATA_NO_PAYLOAD = 2;
const SEND = 1;
const MAX_FRAME_BYTES = RW_DATA_EVENT.size + CAPTURE_MAX_BYTES;
const EMPTY = new Uint8Array(0);

/**
 * A stateful decoder: push chunks as they come, get whole frames.
 *
 * Keeps at most one frame of rest between chunks. Frames of a type it does not know are counted in `skipped` and passed
 * over (a newer loader), everything else that is malformed throws, because the stream cannot be followed any more.
 * Cost: one small object per frame; data heads are views, not copies.
 */
export class FrameDecoder {
  /** Frames of unknown type that were passed over. */
  skipped = 0;
  /** Frames decoded. */
  decoded = 0;
  #rest: Uint8Array = EMPTY;
  readonly #read = new WireReader();
  readonly #dropReasons = new Map<number, string>();

  /**
   * @param chunk  the next bytes of the loader's standard output, any length
   * @param sink   called once for each whole frame, in order
   * @throws {RcaError} RCA_BAD_INPUT on a wrong wire version, length or enum value
   */
  push(chunk: Uint8Array, sink: (frame: Frame) => void): void {
    const bytes = this.#rest.length === 0 ? chunk : concat(this.#rest, chunk);
    this.#read.load(bytes);
    let at = 0;
    while (bytes.length - at >= RW_FRAME.size) {
      const length = this.#read.u32(at + RW_FRAME.length);
      const type = this.#read.view.getUint16(at + RW_FRAME.type, true);
      if (length < RW_FRAME.size || length > MAX_FRAME_BYTES) {
        throw malformed(`frame length ${length} of type ${type}`);
      }
      if (bytes.length - at < length) break;
      const frame = this.#decode(type, at, length);
      if (frame === undefined) this.skipped++;
      else {
        this.decoded++;
        sink(frame);
      }
      at += length;
    }
    this.#rest = at === bytes.length ? EMPTY : bytes.slice(at);
  }

  #decode(type: number, at: number, length: number): Frame | undefined {
    switch (type) {
      case FRAME_TYPE.data:
        return this.#data(at, length);
      case FRAME_TYPE.datagram:
        return this.#datagram(at, length);
      case FRAME_TYPE.conn:
        return this.#conn(at, length);
      case FRAME_TYPE.connStats:
        return this.#connStats(at, length);
      case FRAME_TYPE.flow:
        return this.#flow(at, length);
      case FRAME_TYPE.listenerStats:
        return this.#listenerStats(at, length);
      case FRAME_TYPE.process:
        return this.#process(at, length);
      case FRAME_TYPE.listener:
        return this.#listener(at, length);
      case FRAME_TYPE.tick:
        return this.#tick(at, length);
      case FRAME_TYPE.hello:
        return this.#hello(at, length);
      case FRAME_TYPE.probe:
        return this.#probe(at, length);
      case FRAME_TYPE.name:
        return this.#name(at, length);
      case FRAME_TYPE.ready:
        return this.#ready(at, length);
      default:
        return undefined;
    }
  }

  #hello(at: number, length: number): HelloFrame {
    const version = this.#read.u32(at + RW_HELLO.wire_version);
    if (version !== WIRE_VERSION) {
      throw malformed(`wire version ${version}, expected ${WIRE_VERSION}; run "rootwalk build" again`);
    }
    expectSize('hello', length, RW_HELLO.size);
    this.#read.clock(at + RW_HELLO.boot_offset_ns);
    return {
      type: 'hello',
      wireVersion: version,
      atMs: this.#read.ms(at + RW_HELLO.ktime_ns),
      intervalMs: this.#read.u32(at + RW_HELLO.interval_ms),
      captureBytes: this.#read.u32(at + RW_HELLO.capture_bytes),
      cpuCount: this.#read.u32(at + RW_HELLO.cpu_count),
      loaderPid: this.#read.u32(at + RW_HELLO.loader_pid),
      ownNetns: this.#read.u32(at + RW_HELLO.own_netns),
      kernelRelease: this.#read.text(at + RW_HELLO.kernel_release, 64),
    };
  }

  #probe(at: number, length: number): ProbeFrame {
    expectSize('probe', length, RW_PROBE.size);
    return {
      type: 'probe',
      name: this.#read.text(at + RW_PROBE.name, 64),
      attached: this.#read.u32(at + RW_PROBE.attached) === 1,
      errno: this.#read.u32(at + RW_PROBE.error),
      reason: this.#read.text(at + RW_PROBE.reason, 256),
    };
  }

  #name(at: number, length: number): NameFrame {
    expectSize('name', length, RW_NAME.size);
    const id = this.#read.u32(at + RW_NAME.id);
    const name = this.#read.text(at + RW_NAME.name, 64);
    this.#dropReasons.set(id, name);
    return { type: 'name', space: 'drop_reason', id, name };
  }

  #ready(at: number, length: number): ReadyFrame {
    expectSize('ready', length, RW_READY.size);
    return {
      type: 'ready',
      atMs: this.#read.ms(at + RW_READY.ktime_ns),
      probesAttached: this.#read.u32(at + RW_READY.probes_attached),
      probesMissing: this.#read.u32(at + RW_READY.probes_missing),
    };
  }

  #tick(at: number, length: number): TickFrame {
    expectSize('tick', length, RW_TICK.size);
    this.#read.clock(at + RW_TICK.boot_offset_ns);
    return {
      type: 'tick',
      atMs: this.#read.ms(at + RW_TICK.ktime_ns),
      interval: this.#read.u64(at + RW_TICK.interval),
      final: this.#read.u32(at + RW_TICK.final) === 1,
      controlEvents: this.#read.u64(at + RW_TICK.control_events),
      dataEvents: this.#read.u64(at + RW_TICK.data_events),
      lostControl: this.#read.u64(at + RW_TICK.lost_control),
      lostData: this.#read.u64(at + RW_TICK.lost_data),
      lostConns: this.#read.u64(at + RW_TICK.lost_conns),
      lostFlows: this.#read.u64(at + RW_TICK.lost_flows),
      lostStash: this.#read.u64(at + RW_TICK.lost_stash),
      faults: this.#read.u64(at + RW_TICK.faults),
      unknownCalls: this.#read.u64(at + RW_TICK.unknown_calls),
      unknownBytes: this.#read.u64(at + RW_TICK.unknown_bytes),
      stdoutBlockedNs: this.#read.u64(at + RW_TICK.stdout_blocked_ns),
      bpfRunNs: this.#read.u64(at + RW_TICK.bpf_run_ns),
      bpfRunCount: this.#read.u64(at + RW_TICK.bpf_run_count),
      loaderCpuUs: this.#read.u64(at + RW_TICK.loader_cpu_us),
      conns: this.#read.u32(at + RW_TICK.conns),
      shedCalls: this.#read.u64(at + RW_TICK.shed_calls),
      missedRuns: this.#read.u64(at + RW_TICK.missed_runs),
    };
  }

  #conn(at: number, length: number): ConnFrame {
    expectSize('conn', length, RW_CONN_EVENT.size);
    const connectNs = this.#read.u64(at + RW_CONN_EVENT.connect_ns);
    const hasLeft = this.#read.u64(at + RW_CONN_EVENT.left_ns) !== 0;
    return {
      type: 'conn',
      kind: known(CONN_KINDS[this.#read.u8(at + RW_CONN_EVENT.kind)], 'conn kind'),
      atMs: this.#read.ms(at + RW_CONN_EVENT.ts_ns),
      connId: this.#read.u64(at + RW_CONN_EVENT.conn_id),
      netns: this.#read.u32(at + RW_CONN_EVENT.netns),
      role: this.#read.role(at + RW_CONN_EVENT.tuple + RW_TUPLE.role),
      protocol: this.#read.protocol(at + RW_CONN_EVENT.tuple + RW_TUPLE.protocol),
      tuple: this.#read.tuple(at + RW_CONN_EVENT.tuple),
      pid: this.#read.u32(at + RW_CONN_EVENT.tgid),
      tid: this.#read.u32(at + RW_CONN_EVENT.tid),
      comm: this.#read.text(at + RW_CONN_EVENT.comm, 16),
      cgroupId: this.#read.u64(at + RW_CONN_EVENT.cgroup_id),
      startMs: this.#read.ms(at + RW_CONN_EVENT.start_ns),
      ...(connectNs === 0 ? {} : { connectNs }),
      reason: known(REASONS[this.#read.u8(at + RW_CONN_EVENT.reason)], 'conn reason'),
      errno: this.#read.view.getInt32(at + RW_CONN_EVENT.error, true),
      synRetransmits: this.#read.u32(at + RW_CONN_EVENT.syn_retransmits),
      totals: this.#read.totals(at + RW_CONN_EVENT.totals),
      ...(hasLeft ? { leftMs: this.#read.ms(at + RW_CONN_EVENT.left_ns) } : {}),
    };
  }

  #process(at: number, length: number): ProcessFrame {
    expectSize('process', length, RW_PROCESS_EVENT.size);
    const hasStart = this.#read.u64(at + RW_PROCESS_EVENT.start_ns) !== 0;
    return {
      type: 'process',
      kind: known(PROCESS_KINDS[this.#read.u8(at + RW_PROCESS_EVENT.kind)], 'process kind'),
      atMs: this.#read.ms(at + RW_PROCESS_EVENT.ts_ns),
      netns: this.#read.u32(at + RW_PROCESS_EVENT.netns),
      pid: this.#read.u32(at + RW_PROCESS_EVENT.tgid),
      parentPid: this.#read.u32(at + RW_PROCESS_EVENT.parent_tgid),
      uid: this.#read.u32(at + RW_PROCESS_EVENT.uid),
      comm: this.#read.text(at + RW_PROCESS_EVENT.comm, 16),
      cgroupId: this.#read.u64(at + RW_PROCESS_EVENT.cgroup_id),
      path: this.#read.text(at + RW_PROCESS_EVENT.path, 128),
      exitCode: this.#read.view.getInt32(at + RW_PROCESS_EVENT.exit_code, true),
      signal: this.#read.u32(at + RW_PROCESS_EVENT.signal),
      ...(hasStart ? { startMs: this.#read.ms(at + RW_PROCESS_EVENT.start_ns) } : {}),
    };
  }

  #listener(at: number, length: number): ListenerFrame {
    expectSize('listener', length, RW_LISTENER_EVENT.size);
    return {
      type: 'listener',
      kind: known(LISTENER_KINDS[this.#read.u8(at + RW_LISTENER_EVENT.kind)], 'listener kind'),
      atMs: this.#read.ms(at + RW_LISTENER_EVENT.ts_ns),
      netns: this.#read.u32(at + RW_LISTENER_EVENT.netns),
      tuple: this.#read.tuple(at + RW_LISTENER_EVENT.tuple),
      pid: this.#read.u32(at + RW_LISTENER_EVENT.tgid),
      comm: this.#read.text(at + RW_LISTENER_EVENT.comm, 16),
      cgroupId: this.#read.u64(at + RW_LISTENER_EVENT.cgroup_id),
      backlog: this.#read.u32(at + RW_LISTENER_EVENT.backlog),
    };
  }

  #data(at: number, length: number): DataFrame {
    if (length < RW_DATA_EVENT.size) throw malformed(`data frame of ${length} bytes`);
    const flags = this.#read.u32(at + RW_DATA_EVENT.flags);
    return {
      type: 'data',
      connId: this.#read.u64(at + RW_DATA_EVENT.conn_id),
      netns: this.#read.u32(at + RW_DATA_EVENT.netns),
      pid: this.#read.u32(at + RW_DATA_EVENT.tgid),
      tid: this.#read.u32(at + RW_DATA_EVENT.tid),
      direction: this.#read.u8(at + RW_DATA_EVENT.direction) === SEND ? 'send' : 'recv',
      role: this.#read.role(at + RW_DATA_EVENT.role),
      protocol: this.#read.protocol(at + RW_DATA_EVENT.protocol),
      op: this.#read.u8(at + RW_DATA_EVENT.op),
      enterMs: this.#read.ms(at + RW_DATA_EVENT.enter_ns),
      exitMs: this.#read.ms(at + RW_DATA_EVENT.exit_ns),
      streamSeq: this.#read.u32(at + RW_DATA_EVENT.stream_seq),
      fullLength: this.#read.u32(at + RW_DATA_EVENT.full_length),
      head: this.#read.bytes.subarray(at + RW_DATA_EVENT.size, at + length),
      fault: (flags & DATA_FAULT) !== 0,
      noPayload: (flags & DATA_NO_PAYLOAD) !== 0,
    };
  }

  #datagram(at: number, length: number): DatagramFrame {
    if (length < RW_DATAGRAM_EVENT.size) throw malformed(`datagram frame of ${length} bytes`);
    return {
      type: 'datagram',
      atMs: this.#read.ms(at + RW_DATAGRAM_EVENT.ts_ns),
      netns: this.#read.u32(at + RW_DATAGRAM_EVENT.netns),
      pid: this.#read.u32(at + RW_DATAGRAM_EVENT.tgid),
      tid: this.#read.u32(at + RW_DATAGRAM_EVENT.tid),
      comm: this.#read.text(at + RW_DATAGRAM_EVENT.comm, 16),
      cgroupId: this.#read.u64(at + RW_DATAGRAM_EVENT.cgroup_id),
      role: this.#read.role(at + RW_DATAGRAM_EVENT.tuple + RW_TUPLE.role),
      protocol: this.#read.protocol(at + RW_DATAGRAM_EVENT.tuple + RW_TUPLE.protocol),
      tuple: this.#read.tuple(at + RW_DATAGRAM_EVENT.tuple),
      direction: this.#read.u8(at + RW_DATAGRAM_EVENT.direction) === SEND ? 'send' : 'recv',
      fullLength: this.#read.u32(at + RW_DATAGRAM_EVENT.full_length),
      errno: this.#read.view.getInt32(at + RW_DATAGRAM_EVENT.error, true),
      head: this.#read.bytes.subarray(at + RW_DATAGRAM_EVENT.size, at + length),
    };
  }

  #connStats(at: number, length: number): ConnStatsFrame {
    expectSize('connStats', length, RW_CONN_STATS.size);
    return {
      type: 'connStats',
      atMs: this.#read.ms(at + RW_CONN_STATS.ts_ns),
      connId: this.#read.u64(at + RW_CONN_STATS.conn_id),
      netns: this.#read.u32(at + RW_CONN_STATS.netns),
      pid: this.#read.u32(at + RW_CONN_STATS.tgid),
      role: this.#read.role(at + RW_CONN_STATS.tuple + RW_TUPLE.role),
      protocol: this.#read.protocol(at + RW_CONN_STATS.tuple + RW_TUPLE.protocol),
      tuple: this.#read.tuple(at + RW_CONN_STATS.tuple),
      state: this.#read.u8(at + RW_CONN_STATS.state),
      totals: this.#read.totals(at + RW_CONN_STATS.totals),
    };
  }

  #listenerStats(at: number, length: number): ListenerStatsFrame {
    expectSize('listener statistics', length, RW_LISTENER_STATS.size);
    return {
      type: 'listenerStats',
      atMs: this.#read.ms(at + RW_LISTENER_STATS.ts_ns),
      netns: this.#read.u32(at + RW_LISTENER_STATS.netns),
      tuple: this.#read.tuple(at + RW_LISTENER_STATS.tuple),
      pid: this.#read.u32(at + RW_LISTENER_STATS.tgid),
      drops: this.#read.u64(at + RW_LISTENER_STATS.drops),
      queue: this.#read.u32(at + RW_LISTENER_STATS.queue),
      backlog: this.#read.u32(at + RW_LISTENER_STATS.backlog),
    };
  }

  #flow(at: number, length: number): FlowFrame {
    expectSize('flow', length, RW_FLOW_EVENT.size);
    const kind = known(FLOW_KINDS[this.#read.u32(at + RW_FLOW_EVENT.kind)], 'flow kind');
    const reason = this.#read.u32(at + RW_FLOW_EVENT.reason);
    return {
      type: 'flow',
      kind,
      atMs: this.#read.ms(at + RW_FLOW_EVENT.ts_ns),
      netns: this.#read.u32(at + RW_FLOW_EVENT.netns),
      tuple: this.#read.tuple(at + RW_FLOW_EVENT.tuple),
      reason: kind === 'drop' ? (this.#dropReasons.get(reason) ?? `REASON_${reason}`) : '',
      count: this.#read.u64(at + RW_FLOW_EVENT.count),
    };
  }
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
  const out = new Uint8Array(a.length + b.length);
  out.set(a);
  out.set(b, a.length);
  return out;
}

function expectSize(what: string, found: number, expected: number): void {
  if (found !== expected) throw malformed(`${what} frame of ${found} bytes, expected ${expected}`);
}
