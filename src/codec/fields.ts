/**
 * The fields of every record: one table from which validation, the JSON Schemas and their descriptions come.
 * Kinds: `name` non-empty text, `names` a list of these; `text` any text; `count` finite number >= 0; `number` finite; `counts` and `texts` maps;
 * `histogram`; `probes`; or a list of allowed words.
 */
import type { RecordType } from '../model/records.ts';
import { CHANGE_KINDS, SIDES, TOPOLOGY_RELATIONS } from '../model/records.ts';

export type FieldKind =
  | 'name'
  | 'text'
  | 'count'
  | 'number'
  | 'counts'
  | 'numbers'
  | 'texts'
  | 'names'
  | 'histogram'
  | 'probes'
  | readonly string[];

export interface Field {
  readonly kind: FieldKind;
  readonly required: boolean;
  readonly about: string;
}

const need = (kind: FieldKind, about: string): Field => ({ kind, required: true, about });
const may = (kind: FieldKind, about: string): Field => ({ kind, required: false, about });

const EDGE = {
  caller: need('name', 'service.name of the calling service; `external` when unknown'),
  callee: need('name', 'service.name of the called service'),
  callerInstance: may('name', 'service.instance.id of the caller'),
  calleeInstance: may('name', 'service.instance.id of the callee'),
  callerMachine: may('name', 'host.name of the caller'),
  calleeMachine: may('name', 'host.name of the callee'),
};
const SIDE = need(SIDES, 'which end saw it');
const count = (about: string): Field => may('count', about);

export const FIELDS: Readonly<Record<RecordType, Readonly<Record<string, Field>>>> = {
  call: {
    ...EDGE,
    side: SIDE,
    protocol: need('name', 'http, grpc, fastcgi, postgresql, mysql, redis, dns, …'),
    operation: need('name', 'route template, SQL fingerprint or command; bounded cardinality'),
    status: need(
      'name',
      'HTTP status code, OK, ERR, SQLSTATE; `none` when no response came; `active`: in flight for a second at the end of the window, counted again when it ends',
    ),
    count: need('count', 'calls in the window'),
    errors: need('count', 'how many of them failed'),
    errorType: may('name', 'OpenTelemetry error.type of the failed ones'),
    durationSumUs: count('sum of durations, microseconds'),
    durationHistogram: may('histogram', 'exponential histogram of durations in microseconds'),
    requestBytes: count('bytes of requests'),
    responseBytes: count('bytes of responses'),
    tags: may('texts', 'zone, version and your own dimensions'),
  },
  tcp: {
    ...EDGE,
    side: SIDE,
    calleePort: count('listening port of the callee'),
    segmentsOut: count('TCP segments sent by this side'),
    segmentsIn: count('TCP segments received by this side'),
    bytesOut: count('bytes sent'),
    bytesIn: count('bytes received'),
    retransmits: count('segments this side sent again'),
    drops: may('counts', 'packets the kernel dropped, by reason (NETFILTER_DROP, …)'),
    rttSumUs: count('sum of round-trip samples, microseconds'),
    rttCount: count('round-trip samples'),
    rttMinUs: count('smallest round trip, microseconds'),
    connects: count('connections established'),
    connectFailures: may('counts', 'failed connects by reason: refused, timed_out, unreachable, no_port, reset, other'),
    connectTimeSumUs: count('sum of connect times, microseconds'),
    resetsSent: count('RST sent'),
    resetsReceived: count('RST received'),
    zeroWindows: count('zero-window events'),
    acceptQueueOverflows: count('connections lost to a full accept queue'),
    activeConnections: count('connections open at the end of the window'),
    clientEndpoints: may(
      'names',
      'client ends (address:port) of a few connections whose other end this side cannot name; joined with those the other side tells',
    ),
  },
  resource: {
    entityKind: need(['instance', 'machine'], 'what the record speaks of'),
    entity: need('name', 'instance or machine name'),
    service: may('name', 'service of the instance'),
    machine: may('name', 'machine of the instance'),
    cpuUsedUs: count('CPU time used in the window, microseconds'),
    cpuLimitUs: count('CPU time the quota allows in the window, microseconds; absent without a quota'),
    cpuThrottledUs: count('time throttled by the quota, microseconds'),
    cpuThrottledPeriods: count('quota periods with throttling'),
    cpuPeriods: count('quota periods'),
    cpuCount: count('CPUs'),
    runQueueDelayUs: count('time runnable but waiting for a CPU, microseconds'),
    psiCpuSomeUs: count('PSI cpu some, microseconds'),
    psiMemorySomeUs: count('PSI memory some, microseconds'),
    psiIoSomeUs: count('PSI io some, microseconds'),
    memoryUsedBytes: count('memory used at the end of the window'),
    memoryLimitBytes: count('memory limit'),
    majorFaults: count('major page faults'),
    oomKills: count('processes killed for lack of memory'),
    diskReadBytes: count('bytes read from disk'),
    diskWriteBytes: count('bytes written to disk'),
    diskIoTimeUs: count('time disks were busy, microseconds'),
    diskOps: count('disk operations'),
    diskErrors: count('failed disk operations'),
    fdUsed: count('open file descriptors'),
    fdLimit: count('limit of file descriptors'),
    processCount: count('processes'),
    conntrackCount: count('tracked connections'),
    conntrackMax: count('limit of tracked connections'),
    listenOverflows: count('accept queue overflows'),
    softirqTimeUs: count('CPU time in soft interrupts, microseconds'),
    stealTimeUs: count('CPU time stolen by the hypervisor, microseconds'),
    extra: may('numbers', 'other measures by name with unit suffix'),
  },
  topology: {
    relation: need(
      TOPOLOGY_RELATIONS,
      'calls: service to service; part_of: instance to service; runs_on: instance to machine',
    ),
    from: need('name', 'calling service or instance'),
    to: need('name', 'called service, service of the instance, or machine'),
    firstSeenMs: count('epoch ms'),
    lastSeenMs: count('epoch ms'),
  },
  change: {
    atMs: need('count', 'when, epoch ms'),
    change: need(CHANGE_KINDS, 'what happened'),
    entityKind: need(['service', 'instance', 'machine'], 'what it happened to'),
    entity: need('name', 'its name'),
    service: may('name', 'service of the instance'),
    machine: may('name', 'machine of the instance'),
    signal: count('signal that ended the process'),
    exitCode: may('number', 'exit code of the process'),
    detail: may('texts', 'anything else, as text'),
  },
  log: {
    instance: need('name', 'instance that logged'),
    service: may('name', 'its service'),
    template: need('name', 'message with its variable parts removed'),
    level: need('name', 'error, warn, info, …'),
    count: need('count', 'messages in the window'),
    example: may('text', 'one of them'),
  },
  sample: {
    atMs: need('count', 'start of the request, epoch ms'),
    caller: EDGE.caller,
    callee: EDGE.callee,
    callerInstance: EDGE.callerInstance,
    calleeInstance: EDGE.calleeInstance,
    side: SIDE,
    protocol: need('name', 'http, grpc, postgresql, …'),
    operation: need('name', 'as in call'),
    status: need('name', 'as in call'),
    durationUs: need('count', 'duration, microseconds'),
    errorType: may('name', 'OpenTelemetry error.type'),
    traceId: may('name', 'trace id when one was on the wire'),
    summary: may('text', 'request line or statement without literals'),
  },
  health: {
    machine: need('name', 'host.name of the collector'),
    probes: need('probes', 'which probes are attached, which are missing and why'),
    lost: need('counts', 'events lost, by buffer'),
    eventsReceived: count('events received'),
    capped: may('counts', 'records not produced because of a cap, by type'),
    recordsProduced: may(
      'counts',
      'records made for this window, by type, zero too; fewer that arrive were lost on the way',
    ),
    breaker: may(['closed', 'shedding_l7', 'shedding_samples'], 'state of the load breaker'),
    cpuUsedUs: count('CPU time of the collector, microseconds'),
    memoryUsedBytes: count('memory of the collector'),
  },
};
