/** What a series measures, whatever it is called at its source, and which way is worse. */
export const FAMILIES = [
  'cpu',
  'memory',
  'disk',
  'network',
  'loss',
  'latency',
  'self_time',
  'errors',
  'traffic',
  'other',
] as const;
export type Family = (typeof FAMILIES)[number];

/** What a node shows when somebody it calls is at fault, too. */
export const SYMPTOM_FAMILIES: readonly Family[] = ['latency', 'errors'];

/** Which way is worse: 1 up, -1 down, 0 either. */
export interface Meaning {
  readonly family: Family;
  readonly worse: 1 | -1 | 0;
}

const MEANINGS: readonly (readonly [RegExp, Family, 1 | -1 | 0])[] = [
  [/throttled|cpu|load\d|schedstat|procs_running|runqueue|steal/i, 'cpu', 1],
  [/mem|vmstat|page_?fault|majorfaults|oom/i, 'memory', 1],
  [/disk|fs_usage|io_?time|psi_?io/i, 'disk', 1],
  [/retrans|listen_?(overflow|drop)|_drop|conntrack/i, 'loss', 1],
  [/network|net_|socket|softirq/i, 'network', 0],
  [/request|qps|count/i, 'traffic', 0],
];
/** What a limit is set to, not how much of it is used. */
const NOT_A_USE = /limit|max$|cpucount|periods$/i;

/** By the words that exporters use (node exporter, cAdvisor, Prometheus conventions, our own resource fields). */
export function familyOf(metric: string): Meaning {
  if (/psi/i.test(metric) && /mem/i.test(metric)) return { family: 'memory', worse: 1 };
  if (NOT_A_USE.test(metric) && !/throttled/i.test(metric)) return { family: 'other', worse: 0 };
  for (const [words, family, worse] of MEANINGS) if (words.test(metric)) return { family, worse };
  return { family: 'other', worse: 0 };
}
