/**
 * Offsets and sizes of the structs in bpf/include/wire.h, in bytes. test/collector/frames/layout.test.ts compares them
 * with what clang -target bpf and the host's compiler make of the header.
 */

export const WIRE_VERSION = 3;
export const CAPTURE_MAX_BYTES = 4096;
export const DATAGRAM_MAX_BYTES = 512;
/** A u32 that is not known on this kernel. */
export const UNKNOWN_U32 = 0xffffffff;

export const FRAME_TYPE = {
  hello: 1,
  probe: 2,
  name: 3,
  ready: 4,
  tick: 5,
  conn: 10,
  process: 11,
  listener: 12,
  data: 20,
  datagram: 21,
  connStats: 30,
  flow: 31,
  listenerStats: 32,
} as const;

export const RW_FRAME = { size: 8, length: 0, type: 4, reserved: 6 } as const;

export const RW_TUPLE = {
  size: 40,
  local_addr: 0,
  remote_addr: 16,
  local_port: 32,
  remote_port: 34,
  family: 36,
  role: 37,
  protocol: 38,
  reserved: 39,
} as const;

export const RW_TCP_TOTALS = {
  size: 72,
  bytes_sent: 0,
  bytes_received: 8,
  segs_out: 16,
  segs_in: 20,
  retransmits: 24,
  total_retransmits: 28,
  srtt_us: 32,
  last_rtt_us: 36,
  resets_sent: 40,
  resets_received: 44,
  rwnd_limited_ms: 48,
  snd_wnd: 52,
  rcv_wnd: 56,
  unread_bytes: 60,
  unsent_bytes: 64,
  unknown_bytes: 68,
} as const;

export const RW_HELLO = {
  size: 112,
  frame: 0,
  ktime_ns: 8,
  boot_offset_ns: 16,
  wire_version: 24,
  interval_ms: 28,
  capture_bytes: 32,
  cpu_count: 36,
  loader_pid: 40,
  own_netns: 44,
  kernel_release: 48,
} as const;

export const RW_PROBE = { size: 336, frame: 0, attached: 8, error: 12, name: 16, reason: 80 } as const;

export const RW_NAME = { size: 80, frame: 0, name_space: 8, id: 12, name: 16 } as const;

export const RW_READY = { size: 24, frame: 0, ktime_ns: 8, probes_attached: 16, probes_missing: 20 } as const;

export const RW_TICK = {
  size: 168,
  frame: 0,
  ktime_ns: 8,
  boot_offset_ns: 16,
  interval: 24,
  control_events: 32,
  data_events: 40,
  lost_control: 48,
  lost_data: 56,
  lost_conns: 64,
  lost_flows: 72,
  lost_stash: 80,
  faults: 88,
  unknown_calls: 96,
  unknown_bytes: 104,
  stdout_blocked_ns: 112,
  bpf_run_ns: 120,
  bpf_run_count: 128,
  loader_cpu_us: 136,
  conns: 144,
  final: 148,
  shed_calls: 152,
  missed_runs: 160,
} as const;

export const RW_CONN_EVENT = {
  size: 208,
  frame: 0,
  ts_ns: 8,
  conn_id: 16,
  start_ns: 24,
  connect_ns: 32,
  cgroup_id: 40,
  tuple: 48,
  netns: 88,
  tgid: 92,
  tid: 96,
  error: 100,
  syn_retransmits: 104,
  kind: 108,
  reason: 109,
  reserved: 110,
  comm: 112,
  totals: 128,
  left_ns: 200,
} as const;

export const RW_PROCESS_EVENT = {
  size: 208,
  frame: 0,
  ts_ns: 8,
  cgroup_id: 16,
  start_ns: 24,
  netns: 32,
  tgid: 36,
  parent_tgid: 40,
  uid: 44,
  exit_code: 48,
  signal: 52,
  kind: 56,
  reserved: 57,
  comm: 64,
  path: 80,
} as const;

export const RW_LISTENER_EVENT = {
  size: 96,
  frame: 0,
  ts_ns: 8,
  cgroup_id: 16,
  tuple: 24,
  netns: 64,
  tgid: 68,
  backlog: 72,
  kind: 76,
  reserved: 77,
  comm: 80,
} as const;

export const RW_DATA_EVENT = {
  size: 64,
  frame: 0,
  enter_ns: 8,
  exit_ns: 16,
  conn_id: 24,
  netns: 32,
  tgid: 36,
  tid: 40,
  stream_seq: 44,
  full_length: 48,
  flags: 52,
  direction: 56,
  protocol: 57,
  op: 58,
  role: 59,
  reserved: 60,
} as const;

export const RW_DATAGRAM_EVENT = {
  size: 104,
  frame: 0,
  ts_ns: 8,
  cgroup_id: 16,
  tuple: 24,
  netns: 64,
  tgid: 68,
  tid: 72,
  full_length: 76,
  error: 80,
  direction: 84,
  reserved: 85,
  comm: 88,
} as const;

export const RW_CONN_STATS = {
  size: 152,
  frame: 0,
  ts_ns: 8,
  conn_id: 16,
  tuple: 24,
  netns: 64,
  tgid: 68,
  state: 72,
  reserved: 73,
  totals: 80,
} as const;

export const RW_FLOW_EVENT = {
  size: 80,
  frame: 0,
  ts_ns: 8,
  count: 16,
  tuple: 24,
  netns: 64,
  kind: 68,
  reason: 72,
  reserved: 76,
} as const;

export const RW_LISTENER_STATS = {
  size: 80,
  frame: 0,
  ts_ns: 8,
  drops: 16,
  tuple: 24,
  netns: 64,
  tgid: 68,
  queue: 72,
  backlog: 76,
} as const;

/** One byte each, on the loader's standard input. */
export const COMMAND = { pause: 'P', resume: 'R' } as const;

/** Every struct by its name in C. */
export const LAYOUT: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  rw_frame: RW_FRAME,
  rw_tuple: RW_TUPLE,
  rw_tcp_totals: RW_TCP_TOTALS,
  rw_hello: RW_HELLO,
  rw_probe: RW_PROBE,
  rw_name: RW_NAME,
  rw_ready: RW_READY,
  rw_tick: RW_TICK,
  rw_conn_event: RW_CONN_EVENT,
  rw_process_event: RW_PROCESS_EVENT,
  rw_listener_event: RW_LISTENER_EVENT,
  rw_data_event: RW_DATA_EVENT,
  rw_datagram_event: RW_DATAGRAM_EVENT,
  rw_conn_stats: RW_CONN_STATS,
  rw_flow_event: RW_FLOW_EVENT,
  rw_listener_stats: RW_LISTENER_STATS,
};
