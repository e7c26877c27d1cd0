/** A real report: a drawn comparison through the shipped rules. */
import { fileURLToPath } from 'node:url';
import { classify, createRuleSet } from '../../src/classify/index.ts';
import { service } from '../../src/model/entity.ts';
import type { Incident } from '../../src/model/incident.ts';
import type { AttributionSummary, Report } from '../../src/model/report.ts';
import type { Suspect, Walk } from '../../src/model/walk.ts';
import type { ReportInput } from '../../src/report/index.ts';
import { buildReport } from '../../src/report/index.ts';
import type { World } from '../classify/fixtures.ts';
import {
  anomaly,
  call,
  comparison,
  healthyTcp,
  pair,
  START,
  suspect,
  tcp,
  toOrders,
  walk,
} from '../classify/fixtures.ts';

export const ruleSet = createRuleSet(fileURLToPath(new URL('../../rules', import.meta.url)));

export const WORLD: World = {
  calls: [
    call({ caller: 'gateway', callee: 'orders', before: [500, 0, 10_000], now: [480, 2, 80_000] }),
    call({ caller: 'gateway', callee: 'orders', side: 'server', before: [500, 0, 9_000], now: [480, 0, 9_000] }),
    call({ caller: 'orders', callee: 'payments-saas', before: [50, 0, 40_000], now: [50, 0, 41_000] }),
  ],
  tcp: [
    tcp('gateway', 'orders', 'client', healthyTcp([pair('retransmits', 0.2, 45), pair('drops.NETFILTER_DROP', 0, 30)])),
  ],
  anomalies: [
    anomaly(service('gateway'), 'duration_mean_us', 'latency_rise', 12_345.678, 84_900),
    anomaly(service('gateway'), 'error_ratio', 'error_rise', 0, 0.0123),
    anomaly(service('checkout'), 'duration_p99_us', 'latency_rise', 40_000, 1_900_000, START + 5_000),
    anomaly(toOrders, 'retransmit_ratio', 'retransmit_rise', 0.0002, 0.045),
    anomaly(toOrders, 'drops_per_window', 'drop_rise', 0, 30),
  ],
  probes: [
    { name: 'tp_btf/kfree_skb', state: 'attached' },
    { name: 'tp_btf/inet_sock_set_state', state: 'attached' },
    { name: 'tp_btf/sched_process_exit', state: 'missing', reason: 'not permitted: CAP_BPF is missing' },
  ],
  health: { lost: { data: 1_200 }, eventsReceived: 90_000 },
};

export const SUSPECTS: readonly Suspect[] = [
  suspect(toOrders, 'network', 0.86, {
    path: [toOrders, service('gateway')],
    instances: ['orders-1'],
    observations: [
      { text: 'retransmits 0.04 → 9/s', metric: 'retransmits', baseline: 0.04, current: 9 },
      {
        text: 'client waits 71 ms longer than the server takes',
        metric: 'network_time_us',
        baseline: 1_000,
        current: 71_000,
      },
    ],
  }),
  suspect(service('orders'), 'self', 0.08),
];

export const ATTRIBUTION: readonly AttributionSummary[] = [
  {
    measure: 'mean duration of calls into gateway',
    verdict: 'elements',
    singles: [
      {
        dimension: 'callee',
        verdict: 'concentrated',
        values: [
          { value: 'orders', share: 0.91 },
          { value: 'payments-saas', share: 0.02 },
        ],
        pValue: 1e-12,
      },
      {
        dimension: 'operation',
        verdict: 'even',
        values: [{ value: 'GET /orders|<script>', share: 0.4 }],
        pValue: 0.44,
      },
    ],
    elements: [{ element: 'callee=orders & callerMachine=m1', share: 0.91, confidence: 0.97, deviation: -0.88 }],
  },
];

export function incident(world: World, more: Partial<Incident> = {}): Incident {
  return {
    id: 'inc_7f3a',
    environment: 'test',
    state: 'open',
    startMs: START,
    openedMs: START + 10_000,
    updatedMs: START + 25_000,
    lastSymptomMs: START + 25_000,
    anomalies: world.anomalies ?? [],
    ...more,
  };
}

export async function input(
  world: World = WORLD,
  drawn: Walk = walk(SUSPECTS),
  more: Partial<ReportInput> = {},
): Promise<ReportInput> {
  const evidence = comparison(world);
  return {
    incident: incident(world),
    comparison: evidence,
    walk: drawn,
    verdicts: await classify(evidence, drawn, ruleSet),
    attribution: ATTRIBUTION,
    reportedMs: START + 25_000,
    configHash: 'c0ffee',
    rulesHash: ruleSet.hash(),
    ...more,
  };
}

export async function sampleReport(more: Partial<ReportInput> = {}): Promise<Report> {
  return buildReport(await input(WORLD, walk(SUSPECTS), more));
}
