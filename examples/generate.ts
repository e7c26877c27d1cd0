/**
 * Writes examples/shop-with-fault.jsonl: ten minutes of a small shop as a JSON producer would send it, one batch a line,
 * in event-time order. In the last three minutes packets are lost between order and stock.
 *
 *   node bin/node24.mjs examples/generate.ts > examples/shop-with-fault.jsonl
 *
 * web -> cart (2 instances), catalog, order; cart -> redis; catalog -> postgresql; order -> stock, postgresql;
 * stock -> postgresql. Seeded: the same file every time.
 */
import type { AnyBatch, CallRecord, ResourceRecord, TcpRecord } from '../src/model/records.ts';
import { createRandom, normal, poisson } from '../src/stats/index.ts';

const START_MS = 1_780_000_000_000;
const WINDOW_MS = 5_000;
const WINDOWS = 120;
export const FAULT_FROM_WINDOW = 84;

interface Edge {
  readonly from: string;
  readonly to: string;
  readonly protocol: string;
  readonly operation: string;
  readonly callsPerRequest: number;
  /** Mean time a call takes inside the callee, us, its own calls included. */
  readonly serverUs: number;
  readonly port: number;
  readonly calleeInstances: readonly string[];
}

const EDGES: readonly Edge[] = [
  {
    from: 'external',
    to: 'web',
    protocol: 'http',
    operation: 'GET /shop',
    callsPerRequest: 1,
    serverUs: 21_000,
    port: 8080,
    calleeInstances: ['web-1'],
  },
  {
    from: 'web',
    to: 'cart',
    protocol: 'http',
    operation: 'GET /cart/{id}',
    callsPerRequest: 1,
    serverUs: 3_000,
    port: 8081,
    calleeInstances: ['cart-1', 'cart-2'],
  },
  {
    from: 'web',
    to: 'catalog',
    protocol: 'http',
    operation: 'GET /items',
    callsPerRequest: 1,
    serverUs: 5_000,
    port: 8082,
    calleeInstances: ['catalog-1'],
  },
  {
    from: 'web',
    to: 'order',
    protocol: 'http',
    operation: 'POST /orders',
    callsPerRequest: 0.5,
    serverUs: 11_000,
    port: 8083,
    calleeInstances: ['order-1'],
  },
  {
    from: 'order',
    to: 'stock',
    protocol: 'http',
    operation: 'POST /reserve',
    callsPerRequest: 1,
    serverUs: 4_000,
    port: 8084,
    calleeInstances: ['stock-1'],
  },
  {
    from: 'cart',
    to: 'redis',
    protocol: 'redis',
    operation: 'HGETALL',
    callsPerRequest: 1,
    serverUs: 300,
    port: 6379,
    calleeInstances: ['redis-1'],
  },
  {
    from: 'catalog',
    to: 'postgresql',
    protocol: 'postgresql',
    operation: 'SELECT * FROM items WHERE id = ?',
    callsPerRequest: 1,
    serverUs: 1_500,
    port: 5432,
    calleeInstances: ['postgresql-1'],
  },
  {
    from: 'order',
    to: 'postgresql',
    protocol: 'postgresql',
    operation: 'INSERT INTO orders VALUES (?, ?)',
    callsPerRequest: 1,
    serverUs: 2_000,
    port: 5432,
    calleeInstances: ['postgresql-1'],
  },
  {
    from: 'stock',
    to: 'postgresql',
    protocol: 'postgresql',
    operation: 'UPDATE stock SET left = left - ? WHERE id = ?',
    callsPerRequest: 1,
    serverUs: 1_800,
    port: 5432,
    calleeInstances: ['postgresql-1'],
  },
];

const LOSS_EXTRA_US = 60_000;
const NETWORK_US = 300;

/** Extra time per call of an edge's callers while packets are lost: it travels up to the user. */
function extraUs(edge: Edge, faulty: boolean): { readonly client: number; readonly server: number } {
  if (!faulty) return { client: 0, server: 0 };
  if (edge.from === 'order' && edge.to === 'stock') return { client: LOSS_EXTRA_US, server: 0 };
  if (edge.to === 'order') return { client: LOSS_EXTRA_US, server: LOSS_EXTRA_US };
  if (edge.to === 'web') return { client: LOSS_EXTRA_US / 2, server: LOSS_EXTRA_US / 2 };
  return { client: 0, server: 0 };
}

export function generate(seed = 20): string[] {
  const random = createRandom(seed);
  const lines: string[] = [];
  const noisy = (mean: number): number => Math.max(mean * 0.2, mean * (1 + 0.05 * normal(random)));
  const put = (
    batch: Omit<AnyBatch, 'schemaVersion' | 'environment' | 'collector' | 'windowMs' | 'sequence'>,
  ): void => {
    const { type, windowStartMs, records } = batch;
    lines.push(JSON.stringify({ type, environment: 'shop', collector: 'example', windowStartMs, records }));
  };

  for (let w = 0; w < WINDOWS; w++) {
    const windowStartMs = START_MS + w * WINDOW_MS;
    const faulty = w >= FAULT_FROM_WINDOW;
    const calls: CallRecord[] = [];
    const tcp: TcpRecord[] = [];
    const visits = new Map([['external', poisson(random, (40 * WINDOW_MS) / 1_000)]]);
    for (const edge of EDGES) {
      const lossy = faulty && edge.from === 'order' && edge.to === 'stock';
      const callerVisits = visits.get(edge.from) ?? 0;
      const total = Math.round(callerVisits * edge.callsPerRequest);
      visits.set(edge.to, (visits.get(edge.to) ?? 0) + total);
      for (const [i, calleeInstance] of edge.calleeInstances.entries()) {
        const share = total / edge.calleeInstances.length;
        const count = i === 0 ? Math.ceil(share) : Math.floor(share);
        const errors = poisson(random, count * 0.001);
        const extra = extraUs(edge, faulty);
        const serverUs = noisy(edge.serverUs) + extra.server;
        const clientUs = serverUs + noisy(NETWORK_US) + extra.client - extra.server;
        const segmentsOut = count * 4;
        const ends = {
          caller: edge.from,
          callee: edge.to,
          ...(edge.from === 'external'
            ? {}
            : { callerInstance: `${edge.from}-1`, callerMachine: machineOf(`${edge.from}-1`) }),
          calleeInstance,
          calleeMachine: machineOf(calleeInstance),
        };
        for (const side of edge.from === 'external' ? (['server'] as const) : (['client', 'server'] as const)) {
          const meanUs = Math.round(side === 'client' ? clientUs : serverUs);
          const common = { ...ends, side, protocol: edge.protocol, operation: edge.operation };
          const ok = edge.protocol === 'http' ? '200' : 'OK';
          const failed = edge.protocol === 'http' ? '500' : 'ERR';
          if (count > errors)
            calls.push({
              ...common,
              status: ok,
              count: count - errors,
              errors: 0,
              durationSumUs: meanUs * (count - errors),
            });
          if (errors > 0)
            calls.push({
              ...common,
              status: failed,
              count: errors,
              errors,
              errorType: failed,
              durationSumUs: meanUs * errors,
            });
          tcp.push({
            ...ends,
            side,
            calleePort: edge.port,
            segmentsOut,
            segmentsIn: segmentsOut,
            retransmits: lossy ? poisson(random, segmentsOut * 0.08) : poisson(random, segmentsOut * 0.0002),
            drops: {},
            rttSumUs: count * 200,
            rttCount: count,
            connects: 0,
            connectFailures: {},
            resetsSent: 0,
            resetsReceived: 0,
          });
        }
      }
    }
    put({ type: 'call', windowStartMs, records: calls });
    put({ type: 'tcp', windowStartMs, records: tcp });
    put({ type: 'resource', windowStartMs, records: resources(noisy) });
    if (w % 12 === 0) {
      put({ type: 'topology', windowStartMs, records: topology() });
      put({
        type: 'health',
        windowStartMs,
        records: [
          {
            machine: 'm1',
            probes: [
              { name: 'tcp_retransmit_skb', state: 'attached' },
              { name: 'kfree_skb', state: 'attached' },
            ],
            lost: {},
          },
        ],
      });
    }
  }
  return lines;
}

function instances(): string[] {
  return [...new Set(EDGES.flatMap((edge) => edge.calleeInstances))];
}

function machineOf(instance: string): string {
  return `m${1 + (instances().indexOf(instance) % 3)}`;
}

function resources(noisy: (mean: number) => number): ResourceRecord[] {
  return instances().map((entity) => ({
    entityKind: 'instance' as const,
    entity,
    service: entity.replace(/-\d+$/, ''),
    machine: machineOf(entity),
    cpuUsedUs: Math.round(noisy(400_000)),
    cpuLimitUs: 5_000_000,
    cpuThrottledUs: 0,
    cpuThrottledPeriods: 0,
    cpuPeriods: 50,
    memoryUsedBytes: 200_000_000,
    memoryLimitBytes: 1_000_000_000,
    oomKills: 0,
  }));
}

function topology(): { relation: 'calls' | 'part_of' | 'runs_on'; from: string; to: string }[] {
  return [
    ...EDGES.map((edge) => ({ relation: 'calls' as const, from: edge.from, to: edge.to })),
    ...instances().map((instance) => ({
      relation: 'part_of' as const,
      from: instance,
      to: instance.replace(/-\d+$/, ''),
    })),
    ...instances().map((instance) => ({ relation: 'runs_on' as const, from: instance, to: machineOf(instance) })),
  ];
}

if (process.argv[1]?.endsWith('generate.ts')) process.stdout.write(`${generate().join('\n')}\n`);
