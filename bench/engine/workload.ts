/**
 * Telemetry of a synthetic system: S services in layers, each calling ten others, two instances each, both sides of
 * every call reported by the machines they run on (20 instances per machine, one collector each). Seeded.
 */
import type { AnyBatch, Batch, CallRecord, ResourceRecord, TcpRecord } from '../../src/model/records.ts';
import type { Random } from '../../src/stats/random.ts';
import { createRandom, poisson } from '../../src/stats/random.ts';

export interface Size {
  readonly services: number;
  readonly edges: number;
}

export const WINDOW_MS = 5_000;
const INSTANCES = 2;
const NETWORK_US = 300;
const INSTANCES_PER_MACHINE = 20;
const SLOW_FACTOR = 5;
/** 16-64 KB batches: about this many records. */
const BATCH_RECORDS = 250;

interface Edge {
  readonly caller: string;
  readonly callee: string;
  readonly rps: number;
  readonly meanUs: number;
}

export function edgesOf({ services, edges }: Size): readonly Edge[] {
  const random = createRandom(7);
  const out: Edge[] = [];
  const fanOut = Math.max(1, Math.round(edges / services));
  for (let s = 0; s < services && out.length < edges; s++) {
    for (let k = 0; k < fanOut && out.length < edges; k++) {
      const callee = (s + 1 + Math.floor(random() * Math.max(1, services - 1))) % services;
      out.push({
        caller: `service-${s}`,
        callee: `service-${callee}`,
        rps: 2 + random() * 40,
        meanUs: 1_000 + random() * 50_000,
      });
    }
  }
  return out;
}

function machineOf(service: string, i: number): string {
  const number = Number(service.slice('service-'.length)) * INSTANCES + i;
  return `machine-${Math.floor(number / INSTANCES_PER_MACHINE)}`;
}

/** How a collector names what runs on another host: by its service, or by an address of its own or of its host. */
const NAMINGS = ['names', 'pods', 'hosts'] as const;
export type Naming = (typeof NAMINGS)[number];

/** @throws {Error} when the text is none */
export function namingOf(text: string): Naming {
  const naming = NAMINGS.find((one) => one === text);
  if (naming === undefined) throw new Error(`--naming: expected ${NAMINGS.join(', ')}, found ${text}`);
  return naming;
}

/** `10.a.b.c` */
function address(number: number): string {
  return `10.${number >> 16}.${(number >> 8) & 255}.${number & 255}`;
}

interface Ends extends Pick<CallRecord, 'caller' | 'callee'> {
  readonly callerInstance?: string;
  readonly calleeInstance?: string;
  readonly callerMachine?: string;
  readonly calleeMachine?: string;
  /** Of the connection, as both sides tell it. */
  readonly clientEndpoints?: readonly string[];
}

/** What the two sides of the connections between two instances tell of each other. */
function endsOf(
  caller: string,
  callee: string,
  i: number,
  edge: number,
  naming: Naming,
): Readonly<Record<'client' | 'server', Ends>> {
  const ends = {
    caller,
    callee,
    callerInstance: `${caller}-${i}`,
    calleeInstance: `${callee}-${i}`,
    callerMachine: machineOf(caller, i),
    calleeMachine: machineOf(callee, i),
  };
  if (naming === 'names' || ends.callerMachine === ends.calleeMachine) return { client: ends, server: ends };
  const at = (service: string): string => {
    const number = Number(service.slice('service-'.length)) * INSTANCES + i;
    return address(1 + (naming === 'pods' ? number : Math.floor(number / INSTANCES_PER_MACHINE)));
  };
  const port =
    8_000 +
    (naming === 'pods' ? 80 : (Number(callee.slice('service-'.length)) * INSTANCES + i) % INSTANCES_PER_MACHINE);
  const { callerInstance, callerMachine, calleeInstance, calleeMachine } = ends;
  const clientEndpoints = [`${at(caller)}:${20_000 + ((INSTANCES * edge + i) % 40_000)}`];
  return {
    client: { caller, callerInstance, callerMachine, callee: `${at(callee)}:${port}`, clientEndpoints },
    server: { caller: at(caller), callee, calleeInstance, calleeMachine, clientEndpoints },
  };
}

/** All batches of one window; calls to `slow` ones take SLOW_FACTOR times their time. Cost: O(edges). */
export function windowBatches(
  edges: readonly Edge[],
  startMs: number,
  random: Random,
  slow: readonly string[] = [],
  naming: Naming = 'names',
): AnyBatch[] {
  const calls = new Map<string, CallRecord[]>();
  const tcp = new Map<string, TcpRecord[]>();
  const resources = new Map<string, ResourceRecord[]>();
  const put = <T>(map: Map<string, T[]>, collector: string, record: T): void => {
    const list = map.get(collector);
    if (list === undefined) map.set(collector, [record]);
    else list.push(record);
  };
  for (const [edge, { caller, callee, rps, meanUs: healthyUs }] of edges.entries()) {
    const meanUs = slow.includes(callee) ? SLOW_FACTOR * healthyUs : healthyUs;
    for (let i = 0; i < INSTANCES; i++) {
      const ends = endsOf(caller, callee, i, edge, naming);
      const n = Math.max(1, poisson(random, (rps * WINDOW_MS) / 1000 / INSTANCES));
      const failed = random() < 0.05 ? 1 : 0;
      const factor = 0.9 + 0.2 * random();
      for (const side of ['client', 'server'] as const) {
        const collector = machineOf(side === 'client' ? caller : callee, i);
        const { clientEndpoints, ...names } = ends[side];
        for (const [status, count] of [
          ['200', n - failed],
          ['500', failed],
        ] as const) {
          if (count === 0) continue;
          put(calls, collector, {
            ...names,
            side,
            protocol: 'http',
            operation: `GET /${callee}/{id}`,
            status,
            count,
            errors: status === '500' ? count : 0,
            ...(status === '500' ? { errorType: '500' } : {}),
            durationSumUs: Math.round(count * (meanUs * factor + (side === 'client' ? NETWORK_US : 0))),
            durationHistogram: sketch(count, meanUs),
            requestBytes: count * 200,
            responseBytes: count * 900,
          });
        }
        put(tcp, collector, {
          ...names,
          ...(clientEndpoints === undefined ? {} : { clientEndpoints }),
          side,
          calleePort: 8080,
          segmentsOut: n * 4,
          segmentsIn: n * 4,
          bytesOut: n * 1_000,
          bytesIn: n * 1_000,
          retransmits: random() < 0.01 ? 1 : 0,
          drops: {},
          connectFailures: {},
          rttSumUs: n * 300,
          rttCount: n,
          connects: 1,
        });
      }
    }
  }
  const instances = new Set(edges.flatMap(({ caller, callee }) => [caller, callee]));
  for (const service of instances) {
    for (let i = 0; i < INSTANCES; i++) {
      put(resources, machineOf(service, i), {
        entityKind: 'instance',
        entity: `${service}-${i}`,
        service,
        machine: machineOf(service, i),
        cpuUsedUs: 1e6 + random() * 1e5,
        cpuLimitUs: 5e6,
        cpuPeriods: 50,
        cpuThrottledPeriods: 0,
        memoryUsedBytes: 2e8,
        memoryLimitBytes: 5e8,
        fdUsed: 100,
        fdLimit: 1024,
      });
    }
  }
  const batches: AnyBatch[] = [];
  const send = <T extends 'call' | 'tcp' | 'resource'>(type: T, map: Map<string, Batch<T>['records'][number][]>) => {
    for (const [collector, records] of map) {
      for (let at = 0; at < records.length; at += BATCH_RECORDS) {
        const part = records.slice(at, at + BATCH_RECORDS);
        const sequence = at / BATCH_RECORDS;
        const header = { schemaVersion: 1, environment: 'bench', collector, windowStartMs: startMs } as const;
        batches.push({ ...header, type, windowMs: WINDOW_MS, sequence, records: part } as unknown as AnyBatch);
      }
    }
  };
  send('call', calls);
  send('tcp', tcp);
  send('resource', resources);
  return batches;
}

/** Thirteen buckets around the mean, most of the mass in the middle. */
function sketch(count: number, meanUs: number) {
  const middle = Math.floor(Math.log2(meanUs) * 8);
  const counts = new Array<number>(13).fill(0);
  let rest = count;
  for (const [k, part] of [
    [6, 0.3],
    [5, 0.2],
    [7, 0.2],
    [4, 0.1],
    [8, 0.1],
  ] as const) {
    const n = Math.min(rest, Math.round(count * part));
    counts[k] = n;
    rest -= n;
  }
  counts[6] = counts[6]! + rest;
  return { scale: 3, offset: middle - 6, counts };
}
