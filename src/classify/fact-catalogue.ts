/**
 * Every fact a rule may test: its type, unit, range, the kinds of suspect that can have it, and what it means.
 * `docs/rules.md` prints this table; a test keeps the two equal. An unknown fact is null and never compares as true or false.
 *
 * Whose edges, instances and machines: for an edge, the edge itself, the called end's instances and their machines; for a
 * service or an instance, the edges that call it, its instances (those the walk narrowed to), their machines; for a
 * machine, every edge with an end on it, and the instances on it. out.* speaks of the edges it calls over. Where several qualify, the worst one speaks.
 */
import { CHANGE_KINDS } from '../model/records.ts';
import { EDGE, OUT, SERVICE } from './fact-catalogue-calls.ts';
import type { FactDefinition, FactPattern } from './fact-definition.ts';
import { flag, list, number, text } from './fact-definition.ts';

const SUSPECT: readonly FactDefinition[] = [
  text('suspect.kind', 'kind of the suspect', ['service', 'instance', 'machine', 'edge']),
  text('suspect.term', 'the ledger term that made it a suspect', [
    'self',
    'network',
    'visits',
    'calls',
    'originated',
    'caller',
    'unexplained',
  ]),
  number('suspect.contribution', 'ratio', "share of the symptom's change the ledger gives it"),
  number('suspect.onset_before_symptom_s', 's', 'how long before the symptom its own anomalies began; negative: after'),
  list('suspect.symptoms', 'symptoms of the suspect itself'),
  list('incident.symptoms', 'symptoms of every anomaly of the incident'),
];

const RESOURCE: readonly FactDefinition[] = [
  number('instance.cpu_throttled_ratio', 'ratio', 'throttled / all scheduler periods, now', 0, 1),
  number('instance.cpu_throttled_ratio_delta', 'ratio', 'its rise', -1, 1),
  number(
    'instance.cpu_throttled_time_ratio',
    'ratio',
    'throttled time / wall time, now (above 1: several threads wait)',
    0,
  ),
  number('instance.cpu_throttled_time_rise', 'ratio', 'rise of throttled time / wall time'),
  number('instance.cpu_used_of_limit', 'ratio', 'CPU used / CPU the quota allows, now', 0),
  number('instance.cpu_cores', 'cores', 'CPU used, now', 0),
  number('instance.cpu_rise_cores', 'cores', 'its rise'),
  number('instance.cpu_ratio', 'factor', 'CPU used now / before', 0),
  number(
    'instance.cpu_drop_ratio',
    'ratio',
    'share of its CPU time that it no longer uses, its busiest window left out; 0: as much or more',
    0,
    1,
  ),
  number(
    'instance.cpu_limit_ratio',
    'factor',
    'quota now / before, or to what share it was cut: below 1 when it was lowered',
    0,
  ),
  number('instance.run_queue_delay_rise_ratio', 'ratio', 'rise of time spent runnable but not running / wall time'),
  number('instance.memory_used_of_limit', 'ratio', 'memory used / limit, now', 0),
  number('instance.memory_ratio', 'factor', 'memory used now / before', 0),
  number('instance.major_faults_rise_per_s', 'per_s', 'rise of major page faults'),
  number('instance.oom_kills', 'count', 'OOM kills during the incident', 0),
  number('instance.fd_used_of_limit', 'ratio', 'open file descriptors / limit, now', 0),
  number('machine.cpu_used_ratio', 'ratio', 'CPU used / all cores, now', 0),
  number('machine.cpu_rise_ratio', 'ratio', 'its rise'),
  number('machine.psi_cpu_ratio', 'ratio', 'share of time some task waited for CPU (PSI), now', 0),
  number('machine.psi_cpu_rise', 'ratio', 'its rise'),
  number('machine.psi_memory_ratio', 'ratio', 'share of time some task waited for memory (PSI), now', 0),
  number('machine.psi_memory_rise', 'ratio', 'its rise'),
  number('machine.psi_io_ratio', 'ratio', 'share of time some task waited for I/O (PSI), now', 0),
  number('machine.psi_io_rise', 'ratio', 'its rise'),
  number(
    'machine.run_queue_delay_rise_ratio',
    'ratio',
    'rise of time tasks spent runnable but not running / wall time',
  ),
  number('machine.memory_used_of_limit', 'ratio', 'memory used / installed, now', 0),
  number('machine.disk_busy_ratio', 'ratio', 'disk busy time / wall time, now', 0),
  number('machine.disk_busy_rise', 'ratio', 'its rise'),
  number('machine.disk_latency_ratio', 'factor', 'disk time per operation now / before', 0),
  number('machine.disk_errors', 'count', 'disk errors per window, now', 0),
  number('machine.steal_ratio', 'ratio', 'CPU time stolen by the hypervisor / wall time of all cores, now', 0),
  number('machine.softirq_rise_ratio', 'ratio', 'rise of softirq time / wall time of all cores'),
  number(
    'machine.listen_overflows_rise_per_s',
    'per_s',
    'rise of connections dropped because an accept queue of the machine was full',
  ),
  number('machine.conntrack_used_of_max', 'ratio', 'conntrack entries / maximum, now', 0),
  number('machine.neighbour_cpu_rise_cores', 'cores', 'largest CPU rise of another service on the same machine'),
  number('machine.neighbour_traffic_ratio', 'factor', 'calls into that service there now / before', 0),
];

const DATABASE: readonly FactDefinition[] = [
  flag('db.is_database', 'the callee speaks PostgreSQL, MySQL, Redis or another database protocol'),
  text('db.protocol', 'that protocol'),
  number('db.self_time_share', 'ratio', "share of the latency change booked as the database's own time or its edges'"),
  number('db.latency_ratio', 'factor', 'mean statement duration now / before', 0),
  number('db.rate_ratio', 'factor', 'statement rate now / before', 0),
  number('db.statement_share', 'ratio', 'largest share of the added time on one statement', 0, 1),
  text('db.top_statement', 'that statement'),
  flag('db.top_statement_writes', 'that statement writes or locks rows'),
  flag('db.top_statement_is_new', 'that statement was not seen before the incident'),
  number('db.statements_slowed', 'count', 'statements at least twice as slow with 5 % of the added time or more', 0),
  number('db.table_share', 'ratio', 'largest share of the added time on statements of one table', 0, 1),
  text('db.top_table', 'that table'),
  number('db.other_tables_latency_ratio', 'factor', 'mean duration of statements on other tables, now / before', 0),
  number('db.writes_slowed', 'count', 'statements that write or lock rows among those slowed', 0),
  number('db.lock_errors_rise_per_s', 'per_s', 'rise of deadlock, lock-timeout and serialisation errors'),
  number(
    'db.connection_limit_errors_rise_per_s',
    'per_s',
    'rise of connections the database turned away: it has no more to give',
  ),
];

const TELEMETRY: readonly FactDefinition[] = [
  number('telemetry.lost_ratio', 'ratio', 'events lost / (received + lost) during the incident', 0, 1),
  number('telemetry.silent_collectors', 'count', 'collectors that reported before but not during the incident', 0),
  flag(
    'telemetry.suspect_silent',
    "the collector of the suspect's own machine is among them, or its call records were lost in most windows",
  ),
  list('telemetry.missing_probes', 'probes no collector could attach'),
  number('telemetry.coverage_ratio', 'ratio', 'windows with telemetry / windows of the incident', 0, 1),
  number(
    'change.crashes',
    'count',
    'process exits of the suspect that nobody asked for (another signal than HUP, INT, TERM; an error code) from two minutes before the symptom on; unknown: nobody tells how they ended',
    0,
  ),
  number('change.process_exit_signal', 'count', "signal of the suspect's last process exit", 0),
  number(
    'change.first_start_before_symptom_s',
    's',
    "time from the first start of one of the suspect's processes, from two minutes before on, to the symptom; negative: after it",
  ),
  flag('change.process_restarted', 'a process of the suspect started after its last exit'),
];

export const FACTS: readonly FactDefinition[] = [
  ...SUSPECT,
  ...EDGE,
  ...SERVICE,
  ...OUT,
  ...RESOURCE,
  ...DATABASE,
  ...TELEMETRY,
];

const CHANGES = new RegExp(`^(${CHANGE_KINDS.join('|')})$`);

export const FACT_PATTERNS: readonly FactPattern[] = [
  {
    prefix: 'edge.drops_rise_per_s.',
    suffix: /^[A-Z][A-Z0-9_]*$/,
    suffixName: 'REASON',
    examples: ['NETFILTER_DROP', 'SOCKET_RCVBUFF', 'NO_SOCKET'],
    definition: { type: 'number', unit: 'per_s', text: 'rise of packets dropped with this kernel reason' },
  },
  {
    prefix: 'edge.connect_failures_rise_per_s.',
    suffix: /^(refused|timed_out|unreachable|no_port|reset|other)$/,
    suffixName: 'reason',
    examples: ['refused', 'timed_out', 'unreachable', 'no_port', 'reset', 'other'],
    definition: { type: 'number', unit: 'per_s', text: 'rise of connects that failed this way' },
  },
  {
    prefix: 'out.connect_failures_rise_per_s.',
    suffix: /^(refused|timed_out|unreachable|no_port|reset|other)$/,
    suffixName: 'reason',
    examples: ['refused', 'timed_out'],
    definition: {
      type: 'number',
      unit: 'per_s',
      text: "rise of connects of the suspect's own calls that failed this way",
    },
  },
  {
    prefix: 'change.count.',
    suffix: CHANGES,
    suffixName: 'change',
    examples: CHANGE_KINDS,
    definition: {
      type: 'number',
      unit: 'count',
      min: 0,
      text: 'such changes of the suspect from two minutes before the symptom on',
    },
  },
  {
    prefix: 'change.before_symptom_s.',
    suffix: CHANGES,
    suffixName: 'change',
    examples: CHANGE_KINDS,
    definition: {
      type: 'number',
      unit: 's',
      text: 'time from the last such change to the symptom; negative: after it',
    },
  },
];

const BY_NAME = new Map(FACTS.map((fact) => [fact.name, fact]));

/** The definition of a fact, or undefined. Cost: O(1). */
export function factDefinition(name: string): FactDefinition | undefined {
  const known = BY_NAME.get(name);
  if (known !== undefined) return known;
  const pattern = FACT_PATTERNS.find((p) => name.startsWith(p.prefix) && p.suffix.test(name.slice(p.prefix.length)));
  return pattern === undefined ? undefined : { name, ...pattern.definition };
}

/** Names for "did you mean": every fact, and the examples of every pattern. */
export function factNames(): string[] {
  return [...BY_NAME.keys(), ...FACT_PATTERNS.flatMap((p) => p.examples.map((example) => p.prefix + example))];
}
