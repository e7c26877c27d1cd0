/** Facts as people say them. A fact without an entry is spelled from its name. */

const WORDS: Readonly<Record<string, string>> = {
  'suspect.kind': 'kind of suspect',
  'suspect.term': 'what the ledger books there',
  'suspect.symptoms': 'symptoms',
  'edge.retransmit_ratio': 'retransmits of segments sent',
  'edge.retransmit_ratio_delta': 'rise of the retransmit ratio',
  'edge.retransmits_rise_sigma': 'rise of retransmits',
  'edge.spurious_retransmit_ratio': 'retransmits of what had arrived already',
  'edge.drops_rise_per_s': 'more packets dropped by a kernel',
  'edge.connect_failures_rise_per_s': 'more failed connects',
  'edge.connect_failure_ratio': 'failed of all connects',
  'edge.calls_ratio': 'call rate against before',
  'edge.success_ratio': 'successful calls against before',
  'edge.error_ratio_delta': 'rise of the error ratio seen by callers',
  'edge.connection_error_share': 'connection errors among the new errors',
  'edge.given_up_share': 'calls given up by their callers among the new errors',
  'edge.read_share': 'calls waiting for an answer that it has read',
  'edge.network_time_share': 'share of the latency change on the network',
  'edge.client_latency_ratio': 'latency seen by callers against before',
  'edge.rtt_ratio': 'round-trip time seen by both ends against before',
  'edge.rtt_rise_us': 'rise of the round-trip time seen by both ends',
  'edge.rtt_min_ratio': 'smallest round-trip time against before',
  'edge.rtt_min_of_rise_ratio': 'part of the longer round trip that its smallest shows as well',
  'edge.resets_rise_per_s': 'more resets',
  'edge.zero_windows_rise_per_s': 'more closed receive windows',
  'edge.accept_queue_overflows_rise_per_s': 'more accept-queue overflows',
  'edge.answered_bytes_ratio': 'what it answers against before',
  'edge.server_seen': 'called end observed',
  'edge.is_name_lookup': 'calls are lookups of names',
  'service.self_time_share': 'share of the latency change in its own time',
  'service.self_error_share': 'share of the new errors that it originates',
  'service.traffic_ratio': 'request rate against before',
  'service.asked_ratio': 'requests its callers need against before',
  'service.asked_rise_per_s': 'rise of the requests its callers need',
  'service.traffic_rise_per_s': 'rise of the request rate',
  'service.latency_ratio': 'own latency against before',
  'service.error_ratio_delta': 'rise of the error ratio',
  'service.status_5xx_share': '5xx among the new errors',
  'service.error_operation_share': 'one operation among the new errors',
  'service.busiest_operation': 'what it spends most time on',
  'service.busiest_operation_share': 'share of its time on that',
  'service.error_instance_share': 'one instance among the new errors',
  'service.calls_share': 'share of the latency change in calling more often',
  'service.visits_share': 'share of the latency change in being called more often',
  'service.failed_duration_variation_ratio': 'how much the time varies after which it fails',
  'service.cpu_per_request_ratio': 'CPU per request against before',
  'service.new_instances_share': 'calls that new instances get',
  'change.first_start_before_symptom_s': 'first start of its processes before the symptom',
  'out.connect_failures_rise_per_s': 'more failed connects of its own calls',
  'out.retransmits_rise_sigma': 'rise of retransmits of its own calls',
  'out.callee_latency_ratio': 'time its callee takes against before',
  'out.callee_latency_rise_us': 'rise of the time its callee takes',
  'out.in_flight_of_held_ratio': 'calls that wait for its callees, for each that it holds',
  'out.callee_rise_of_wait_ratio': 'that rise against how much longer its callers wait',
  'out.calls_per_request_ratio': 'calls it makes for each request, against before',
  'out.pool_callee': 'callee of the pool',
  'out.pool_connections_ratio': 'connections open to it against before',
  'out.pool_bytes_ratio': 'bytes sent over them against before',
  'out.unread_callees': 'quiet callees whose calls are not read',
  'out.pool_busy_ratio': 'time with a call on them',
  'out.more_called': 'called more often',
  'out.slow_callee': 'callee that got slow',
  'out.lookup_latency_ratio': 'time its lookups of names take against before',
  'out.lookup_latency_rise_us': 'rise of the time its lookups take',
  'out.lookup_error_ratio_delta': 'rise of the share of its lookups that fail',
  'out.resolver': 'resolver',
  'out.error_rise_ratio': 'new errors received / returned',
  'instance.cpu_throttled_ratio': 'throttled periods',
  'instance.cpu_throttled_ratio_delta': 'rise of throttled periods',
  'instance.cpu_throttled_time_rise': 'rise of throttled time',
  'instance.cpu_used_of_limit': 'CPU used of the limit',
  'instance.cpu_ratio': 'CPU used against before',
  'instance.cpu_drop_ratio': 'fall of the CPU used',
  'instance.cpu_limit_ratio': 'CPU limit against before',
  'instance.run_queue_delay_rise_ratio': 'rise of the wait for a CPU',
  'instance.memory_used_of_limit': 'memory used of the limit',
  'instance.major_faults_rise_per_s': 'more major page faults',
  'instance.oom_kills': 'OOM kills',
  'machine.cpu_used_ratio': 'CPU of the machine',
  'machine.cpu_rise_ratio': 'rise of the CPU of the machine',
  'machine.psi_cpu_rise': 'rise of CPU pressure',
  'machine.psi_memory_rise': 'rise of memory pressure',
  'machine.psi_io_rise': 'rise of I/O pressure',
  'machine.disk_latency_ratio': 'time per disk operation against before',
  'machine.disk_busy_rise': 'rise of disk busy time',
  'machine.disk_errors': 'disk errors',
  'machine.listen_overflows_rise_per_s': 'more accept-queue overflows on its machine',
  'machine.neighbour_cpu_rise_cores': 'more CPU used by a neighbour',
  'machine.neighbour_traffic_ratio': 'requests of that neighbour against before',
  'db.is_database': 'is a database',
  'db.protocol': 'it speaks',
  'db.latency_ratio': 'statement duration against before',
  'db.self_time_share': 'share of the latency change in the database',
  'db.statement_share': 'share of the added time on one statement',
  'db.statements_slowed': 'statements that got slow',
  'db.writes_slowed': 'statements that write or lock and got slow',
  'db.table_share': 'share of the added time on one table',
  'db.other_tables_latency_ratio': 'statements on other tables against before',
  'db.lock_errors_rise_per_s': 'more lock errors',
  'db.connection_limit_errors_rise_per_s': 'more connections turned away',
  'change.count.oom_kill': 'OOM kills that the kernel told of',
  'change.count.process_exit': 'process exits',
  'telemetry.lost_ratio': 'events lost',
  'telemetry.silent_collectors': 'silent collectors',
  'telemetry.suspect_silent': 'its collector is silent',
  'telemetry.coverage_ratio': 'windows with telemetry',
  'change.process_exit_signal': 'exit signal',
  'change.crashes': 'processes that ended without being asked to',
  'change.process_restarted': 'started again',
};

const PATTERNS: readonly (readonly [prefix: string, words: (suffix: string) => string])[] = [
  ['edge.drops_rise_per_s.', (reason) => `more packets dropped with ${reason}`],
  ['edge.connect_failures_rise_per_s.', (reason) => `more connects ${spaced(reason)}`],
  ['out.connect_failures_rise_per_s.', (reason) => `more of its own connects ${spaced(reason)}`],
  ['change.count.', (kind) => `changes: ${spaced(kind)}`],
  ['change.before_symptom_s.', (kind) => `time from ${spaced(kind)} to the symptom`],
];

/** Values that are names of ours. */
const VALUES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'suspect.term': {
    self: 'its own time',
    network: 'time on the way',
    visits: 'more visits',
    calls: 'more calls for each request',
    originated: 'errors of its own',
    caller: 'requests from it',
  },
};

/** A value of a fact as people say it; undefined: it says itself. */
export function valueWords(fact: string, value: unknown): string | undefined {
  return typeof value === 'string' ? VALUES[fact]?.[value] : undefined;
}

function spaced(name: string): string {
  return name.replaceAll('_', ' ');
}

export function factWords(name: string): string {
  const known = WORDS[name];
  if (known !== undefined) return known;
  const pattern = PATTERNS.find(([prefix]) => name.startsWith(prefix));
  if (pattern !== undefined) return pattern[1](name.slice(pattern[0].length));
  return spaced(name.replace(/_(per_s|us|cores|sigma|ratio)$/, '')).replaceAll('.', ' ');
}
