/** Reads a pack of root-cause cases (cases.csv, exclude.csv, streams/…, cases/…). The only place that knows its format. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { Alert } from '../../src/demarcate/alerts.ts';
import { AlertHistory } from '../../src/demarcate/alerts.ts';
import type { Samples } from '../../src/demarcate/deviation.ts';
import type { EdgeSeries } from '../../src/demarcate/edge-network.ts';
import type { NodeEvidence, NodeSeries } from '../../src/demarcate/fallback.ts';
import type { Meaning } from '../../src/demarcate/families.ts';
import { familyOf } from '../../src/demarcate/families.ts';
import { RcaError } from '../../src/model/errors.ts';

/** Series and topology, or alerts with those of the pack's other cases as history. */
export type RcaCase = { readonly id: string } & (
  | { readonly evidence: NodeEvidence }
  | { readonly alerts: readonly Alert[]; readonly history: AlertHistory }
);

interface CaseRow {
  readonly case_id: string;
  readonly stream_id: string;
  readonly normal_from_ms: string;
  readonly normal_to_ms: string;
  readonly abnormal_from_ms: string;
  readonly abnormal_to_ms: string;
  readonly symptom_node?: string;
}

interface Stream {
  readonly nodes: readonly { node: string; kind: string; metric: string; times: Float64Array; values: Float64Array }[];
  readonly edges: readonly {
    caller: string;
    callee: string;
    metric: string;
    times: Float64Array;
    values: Float64Array;
  }[];
  readonly calls: readonly (readonly [string, string])[];
  readonly partOf: ReadonlyMap<string, string>;
  readonly runsOn: ReadonlyMap<string, string>;
}

/** @throws RCA_BAD_INPUT */
export function assertPack(dir: string): void {
  if (!existsSync(join(dir, 'cases.csv')))
    throw new RcaError('RCA_BAD_INPUT', `${dir}: expected a pack folder with cases.csv, found none`);
}

/** Cases of one pack, one after the other; a stream is read once. truth.csv is never opened. */
export function* readPack(dir: string): Generator<RcaCase> {
  assertPack(dir);
  const cases = readCsv(join(dir, 'cases.csv')) as unknown as CaseRow[];
  const exclude = existsSync(join(dir, 'exclude.csv')) ? readCsv(join(dir, 'exclude.csv')) : [];
  const streams = new Map<string, Stream>();
  const history = new AlertHistory();
  const alerting = cases.filter(({ stream_id }) => stream_id === '' || stream_id === undefined);
  const alerts = new Map(alerting.map(({ case_id }) => [case_id, readAlerts(join(dir, 'cases', case_id))]));
  for (const each of alerts.values()) history.add(each);
  for (const row of cases) {
    const own = alerts.get(row.case_id);
    if (own !== undefined) {
      yield { id: row.case_id, alerts: own, history };
      continue;
    }
    const stream = streams.get(row.stream_id) ?? readStream(join(dir, 'streams', row.stream_id));
    if (streams.size > 4) streams.clear();
    streams.set(row.stream_id, stream);
    const out = exclude
      .filter(({ stream_id }) => stream_id === row.stream_id)
      .map(({ from_ms, to_ms }) => [Number(from_ms), Number(to_ms)] as const);
    yield { id: row.case_id, evidence: evidenceOf(stream, row, out) };
  }
}

/**
 * Windows without a fault, of the cases' median length, spread evenly over healthy.csv; at most `count`. Their past is the
 * rest of the healthy span.
 */
export function* readHealthy(
  dir: string,
  count: number,
): Generator<{ readonly id: string; readonly evidence: NodeEvidence }> {
  if (!existsSync(join(dir, 'healthy.csv'))) return;
  const spans = readCsv(join(dir, 'healthy.csv'));
  const lengths = (readCsv(join(dir, 'cases.csv')) as unknown as CaseRow[])
    .map((row) => Number(row.abnormal_to_ms) - Number(row.abnormal_from_ms))
    .sort((a, b) => a - b);
  const usual = lengths[lengths.length >> 1] ?? 0;
  const all = spans.flatMap(({ stream_id: stream = '', from_ms, to_ms }) => {
    const [from, to] = [Number(from_ms), Number(to_ms)];
    // A short span is half past, half window.
    const length = Math.min(usual, (to - from) / 2);
    const windows = Math.max(0, Math.floor((to - from) / length) - 1);
    return Array.from({ length: windows }, (_, k) => ({ stream, from, to, at: from + (k + 1) * length, length }));
  });
  const step = Math.max(1, all.length / count);
  let open = '';
  let data: Stream | undefined;
  for (let k = 0; Math.floor(k) < all.length; k += step) {
    const { stream, from, to, at, length } = all[Math.floor(k)]!;
    if (stream !== open || data === undefined) data = readStream(join(dir, 'streams', stream));
    open = stream;
    const row = {
      case_id: `${stream}@${at}`,
      stream_id: stream,
      normal_from_ms: `${from}`,
      normal_to_ms: `${to}`,
      abnormal_from_ms: `${at}`,
      abnormal_to_ms: `${at + length}`,
    };
    yield { id: row.case_id, evidence: evidenceOf(data, row, [[at, at + length]]) };
  }
}

function evidenceOf(stream: Stream, row: CaseRow, exclude: readonly (readonly [number, number])[]): NodeEvidence {
  const normal = [Number(row.normal_from_ms), Number(row.normal_to_ms)] as const;
  const abnormal = [Number(row.abnormal_from_ms), Number(row.abnormal_to_ms)] as const;
  const cut = (times: Float64Array, values: Float64Array): Samples => {
    const inside = ([from, to]: readonly [number, number], t: number): boolean => t >= from && t < to;
    return {
      baseline: values.filter(
        (_, i) => inside(normal, times[i] ?? 0) && !exclude.some((span) => inside(span, times[i] ?? 0)),
      ),
      current: values.filter((_, i) => inside(abnormal, times[i] ?? 0)),
    };
  };
  const requests = new Map(
    stream.nodes.filter(({ metric }) => metric === 'request_count').map((one) => [`${one.kind}/${one.node}`, one]),
  );
  const rates = new Map(
    stream.nodes.filter(({ metric }) => metric === 'request_rate_per_s').map((one) => [`${one.kind}/${one.node}`, one]),
  );
  const series: NodeSeries[] = stream.nodes.map(({ node, kind, metric, times, values }) => {
    const { family, worse } = meaning(metric);
    const own = `${kind}/${node}`;
    // What an instance is asked for may be known of its whole service only.
    const asked = [own, `service/${stream.partOf.get(node)}`].map((key) => requests.get(key) ?? rates.get(key));
    const counts = family === 'errors' ? requests.get(own) : family === 'cpu' ? (asked[0] ?? asked[1]) : undefined;
    return {
      node,
      kind: kind === 'host' ? 'machine' : kind === 'instance' ? 'instance' : 'service',
      metric,
      family,
      worse,
      ...cut(times, /availability|success/.test(metric) ? values.map((value) => 1 - value / 100) : values),
      ...(counts === undefined ? {} : { requests: cut(times, at(times, counts)) }),
    };
  });
  const edges: EdgeSeries[] = stream.edges.flatMap(({ caller, callee, metric, times, values }) => {
    const measure = /^gap_/.test(metric)
      ? 'gap'
      : /client_latency/.test(metric)
        ? 'client'
        : /server_latency/.test(metric)
          ? 'server'
          : undefined;
    return measure === undefined ? [] : [{ caller, callee, measure, ...cut(times, values) }];
  });
  edges.push(...meshGaps(stream, cut));
  // X-Ray's name for an endpoint that only the caller reports.
  const unobserved = new Set(series.map(({ node }) => node).filter((node) => node.endsWith('_remote')));
  const symptoms = row.symptom_node === undefined || row.symptom_node === '' ? [] : [row.symptom_node];
  return { series, edges, calls: stream.calls, partOf: stream.partOf, runsOn: stream.runsOn, unobserved, symptoms };
}

/** A series' values at given times; NaN: none. */
function at(
  times: Float64Array,
  series: { readonly times: Float64Array; readonly values: Float64Array },
): Float64Array {
  const known = new Map([...series.times].map((time, i) => [time, series.values[i] ?? Number.NaN]));
  return times.map((time) => known.get(time) ?? Number.NaN);
}

/** Where a mesh reports both sides of an edge but no gap: client minus server at the same times. */
function meshGaps(stream: Stream, cut: (times: Float64Array, values: Float64Array) => Samples): EdgeSeries[] {
  const servers = new Map(
    stream.edges
      .filter(({ metric }) => metric.startsWith('mesh_server_latency'))
      .map((edge) => [`${edge.caller}\0${edge.callee}`, edge]),
  );
  return stream.edges.flatMap((client) => {
    const other = client.metric.startsWith('mesh_client_latency')
      ? servers.get(`${client.caller}\0${client.callee}`)
      : undefined;
    if (other === undefined) return [];
    const server = at(client.times, other);
    const gap = client.values.map((value, i) => value - (server[i] ?? Number.NaN));
    return [{ caller: client.caller, callee: client.callee, measure: 'gap' as const, ...cut(client.times, gap) }];
  });
}

/** What a metric of these packs measures, and which way is worse. */
function meaning(metric: string): Meaning {
  if (/availability|success/.test(metric)) return { family: 'errors', worse: 1 };
  if (/self_time/.test(metric)) return { family: 'self_time', worse: 1 };
  if (/^client_latency/.test(metric)) return { family: 'other', worse: 1 };
  if (/latency|(^|_)p\d\d$/.test(metric)) return { family: 'latency', worse: 1 };
  return familyOf(metric);
}

/**
 * Alerts alone. Lines of a log are told apart by template, traces by operation and outcome; who called is not the node's.
 * Metrics' alerts stand in the order they came.
 */
function readAlerts(dir: string): Alert[] {
  const partOf = new Map<string, string>();
  for (const { from, to, relation } of readCsv(join(dir, 'topology.csv')))
    if (relation === 'part_of') partOf.set(from ?? '', to ?? '');
  const rows = readCsv(join(dir, 'alerts.csv.gz')).filter(({ node = '' }) => partOf.has(node));
  const metrics = rows.filter(({ kind }) => kind === 'metric');
  const place = new Map(metrics.map((row, i) => [row, i / metrics.length]));
  return rows.map((row): Alert => {
    const { node = '', metric = '', direction = '', kind } = row;
    const of = { node, service: partOf.get(node) ?? '', name: `${kind}/${metric}/${direction}` };
    if (kind === 'log') return { ...of, family: 'errors', group: 'log' };
    if (kind === 'trace')
      return { ...of, family: 'latency', group: direction === 'PD' ? 'trace/slow' : 'trace/failed' };
    const { family } = meaning(metric);
    return { ...of, family, group: `${family}/${direction}`, order: place.get(row) ?? 0 };
  });
}

function readStream(dir: string): Stream {
  const topology = existsSync(join(dir, 'topology.csv')) ? readCsv(join(dir, 'topology.csv')) : [];
  const pairs = (of: string): Map<string, string> =>
    new Map(topology.filter(({ relation }) => relation === of).map(({ from = '', to = '' }) => [from, to]));
  const edgeFile = readdirSync(dir).includes('edges.csv.gz') ? grouped(join(dir, 'edges.csv.gz')) : [];
  return {
    nodes: grouped(join(dir, 'nodes.csv.gz')).map(({ key: [node = '', kind = '', metric = ''], ...rest }) => ({
      node,
      kind,
      metric,
      ...rest,
    })),
    edges: edgeFile.map(({ key: [caller = '', callee = '', metric = ''], ...rest }) => ({
      caller,
      callee,
      metric,
      ...rest,
    })),
    calls: topology.filter(({ relation }) => relation === 'calls').map(({ from = '', to = '' }) => [from, to] as const),
    partOf: pairs('part_of'),
    runsOn: pairs('runs_on'),
  };
}

/** ts_ms, three key columns, value -> one entry per key. */
function grouped(file: string): { key: string[]; times: Float64Array; values: Float64Array }[] {
  const groups = new Map<string, { times: number[]; values: number[] }>();
  for (const line of text(file).split('\n').slice(1)) {
    if (line === '') continue;
    const cells = line.split(',');
    const key = cells.slice(1, 4).join('\0');
    const group = groups.get(key) ?? { times: [], values: [] };
    groups.set(key, group);
    group.times.push(Number(cells[0]));
    group.values.push(Number(cells[4]));
  }
  return [...groups].map(([key, { times, values }]) => ({
    key: key.split('\0'),
    times: Float64Array.from(times),
    values: Float64Array.from(values),
  }));
}

function readCsv(file: string): Record<string, string>[] {
  const [head = '', ...lines] = text(file).split('\n');
  const names = head.trim().split(',');
  return lines
    .filter((line) => line !== '')
    .map((line) =>
      Object.fromEntries(
        line
          .trim()
          .split(',')
          .map((cell, i) => [names[i] ?? '', cell]),
      ),
    );
}

function text(file: string): string {
  const bytes = readFileSync(file);
  return (file.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8').replaceAll('\r', '');
}
