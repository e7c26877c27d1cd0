/** The report for people: what, why, how sure, what else was thought of, what could not be seen, what to do. */
import { attributionVerdictWords, deviationWords } from '../model/attribution-words.ts';
import {
  formatClock,
  formatNumber,
  formatSeconds,
  formatTime,
  formatValue,
  listOf,
  sharePercent,
} from '../model/format.ts';
import type { AttributionSummary, RankedCause, Report, ReportLedger } from '../model/report.ts';
import type { EvaluatedCondition } from '../model/verdict.ts';
import { accountsFor, toldCauses } from './accounts.ts';
import { metricWords, showChange, showMetric } from './metric-names.ts';
import { causeName, entityWithKind, entityWords } from './words.ts';

/** Causes told in full; the others get one line. */
const FULL_CAUSES = 3;
const MAX_LEDGER_ROWS = 12;
/** Smaller entries are summed into one row, after the first three. */
const VISIBLE_SHARE = 0.01;
const MAX_EXCLUDED = 12;

/** Markdown of a report. Cost: O(report). */
export function toMarkdown(report: Report): string {
  const sections = [
    heading(report),
    escapeCell(report.summary),
    changed(report),
    keyMetrics(report),
    causes(report),
    propagation(report),
    drillDowns(report),
    ledgers(report),
    bullets('Suggested checks', report.checks),
    bullets('Blind spots', report.blindSpots),
    footer(report),
  ];
  return `${sections.filter((section) => section !== '').join('\n\n')}\n`;
}

function heading(report: Report): string {
  const told = toldCauses(report.causes, report.ledgers);
  const names = told.map(causeName);
  const what = names.length === 0 ? 'no cause found' : [...new Set(names)].join(' and ');
  // A report stored by an earlier version has none.
  const { endedMs = null, recurredMs } = report;
  const sinceMs = recurredMs ?? report.startMs;
  const first = recurredMs === undefined ? '' : ` again, first at ${formatClock(report.startMs)}`;
  const lasted = endedMs === null ? '' : `, lasted ${formatSeconds((endedMs - sinceMs) / 1000)}`;
  const state = `${report.state}${lasted}${report.provisional ? ', provisional: evidence is still coming in' : ''}`;
  const lines = [
    `# ${escapeCell(what)}`,
    '',
    `**Environment** ${escapeCell(report.environment)} · **state** ${state} · **since** ${formatTime(sinceMs)}${first} · **reported** after ${formatSeconds((report.reportedMs - sinceMs) / 1000)}`,
  ];
  return lines.join('\n');
}

function changed(report: Report): string {
  if (report.changedSincePrevious.length === 0) return '';
  return `Changed since revision ${report.revision - 1}: ${report.changedSincePrevious.map(escapeCell).join('; ')}.`;
}

function keyMetrics(report: Report): string {
  if (report.keyMetrics.length === 0) return '';
  const rows = report.keyMetrics.map(({ entity, metric, operation, unit, baseline, current, onsetMs, limitAtMs }) => [
    entityWithKind(entity),
    metricWords(metric, operation),
    showMetric(baseline, unit),
    `${showMetric(current, unit)}${limit(limitAtMs, report.reportedMs)}`,
    showChange(baseline, current, unit),
    onset(onsetMs, report.recurredMs ?? report.startMs),
  ]);
  const meaning = 'Before: its usual level. Now: the mean of its abnormal windows.';
  return `## Key metrics\n\n${meaning}\n\n${table(['entity', 'metric', 'before', 'now', 'change', 'onset'], rows)}`;
}

/** When what runs full is full, to the minute: it goes by a pace. */
function limit(ms: number | undefined, reportedMs: number): string {
  if (ms === undefined) return '';
  const minutes = Math.max(0, Math.round((ms - reportedMs) / 60_000));
  return minutes === 0 ? ', full any minute' : `, full in ${minutes} min at this pace`;
}

function onset(ms: number, startMs: number): string {
  const seconds = (ms - startMs) / 1000;
  return seconds === 0 ? formatClock(ms) : `${seconds > 0 ? '+' : ''}${formatSeconds(seconds)}`;
}

function causes(report: Report): string {
  if (report.causes.length === 0) return '## Causes\n\nNo suspect stands out.';
  const full = report.causes.slice(0, FULL_CAUSES).map((cause) => causeSection(cause, report));
  const others = report.causes.slice(FULL_CAUSES);
  const rest =
    others.length === 0
      ? []
      : [
          `Further suspects:\n\n${others
            .map((c) => `- ${c.rank}. ${escapeCell(entityWords(c.entity))}: ${c.faultClass}${contribution(c, report)}`)
            .join('\n')}`,
        ];
  return `## Causes\n\n${[...full, ...rest].join('\n\n')}`;
}

function contribution(cause: RankedCause, report: Report): string {
  const accounts = accountsFor(cause, report.ledgers);
  return accounts === '' ? '' : `, ${accounts}`;
}

function causeSection(cause: RankedCause, report: Report): string {
  const sure = cause.faultClass === 'unknown' ? '' : `, confidence ${confidence(cause)}`;
  const lines = [`### ${cause.rank}. ${escapeCell(cause.title)}`, ''];
  lines.push(
    `\`${cause.faultClass}\` at **${escapeCell(entityWords(cause.entity))}**${sure}${contribution(cause, report)}${since(cause, report)}.`,
  );
  if (cause.summary !== undefined) lines.push('', escapeCell(cause.summary));
  const narrowed = [
    cause.instances.length > 0 ? `instances ${listOf(cause.instances, 4)}` : '',
    cause.machines.length > 0 ? `machines ${listOf(cause.machines, 4)}` : '',
  ].filter((text) => text !== '');
  const seen = cause.suspects.length > 1 ? [`Seen at ${listOf(cause.suspects.map(entityWords), 4)}.`] : [];
  const where = [...(narrowed.length > 0 ? [`Narrowed to ${narrowed.join('; ')}.`] : []), ...seen];
  if (where.length > 0) lines.push('', where.map(escapeCell).join(' '));
  if (cause.fromRevision !== undefined)
    lines.push('', `As revision ${cause.fromRevision} showed it; what came after no longer does.`);
  const evidence = cause.evidence.map(evidenceLine);
  const observations = cause.observations.map(({ text }) => `- ${escapeCell(text)}`);
  if (evidence.length + observations.length > 0)
    lines.push('', 'Evidence:', '', ...unique([...observations, ...evidence]));
  const excluded = cause.excluded.slice(0, cause.rank === 1 ? MAX_EXCLUDED : 4);
  if (excluded.length > 0) {
    lines.push('', 'Excluded:', '');
    lines.push(...excluded.map((e) => `- \`${e.faultClass}\`: ${escapeCell(e.reason)}`));
    const more = cause.excluded.length - excluded.length;
    if (more > 0) lines.push(`- and ${more} more`);
  }
  if (cause.undecided.length > 0 && (cause.rank === 1 || cause.faultClass === 'unknown')) {
    lines.push('', 'Neither proved nor excluded:', '');
    lines.push(...cause.undecided.slice(0, 6).map((u) => `- \`${u.faultClass}\`: ${escapeCell(u.reason)}`));
  }
  if (cause.remedy !== null) lines.push('', `What to do: \`rules/${cause.remedy}\``);
  return lines.join('\n');
}

function since(cause: RankedCause, report: Report): string {
  if (cause.onsetMs === null) return '';
  const seconds = ((report.recurredMs ?? report.startMs) - cause.onsetMs) / 1000;
  if (seconds === 0) return ', since the onset';
  return `, since ${formatSeconds(Math.abs(seconds))} ${seconds > 0 ? 'before' : 'after'} the onset`;
}

function evidenceLine(condition: EvaluatedCondition): string {
  const mark =
    condition.result === 'unknown' ? ' — could not be read' : condition.role === 'supports' ? ' — supporting' : '';
  return `- ${escapeCell(condition.text)}${mark}`;
}

function propagation(report: Report): string {
  const path = report.propagation.map(entityWords);
  const parts: string[] = [];
  if (path.length > 1)
    parts.push(`From cause to symptom: ${path.map((name) => `**${escapeCell(name)}**`).join(' ⇒ ')}`);
  if (report.affected.length > 0) {
    const byKind = ['service', 'instance', 'machine', 'edge'] as const;
    const groups = byKind.flatMap((kind) => {
      const names = report.affected.filter((e) => e.kind === kind).map(entityWords);
      return names.length === 0
        ? []
        : [`- ${names.length === 1 ? kind : `${kind}s`}: ${escapeCell(listOf(names, 12))}`];
    });
    parts.push(`Affected:\n\n${groups.join('\n')}`);
  }
  return parts.length === 0 ? '' : `## Propagation\n\n${parts.join('\n\n')}`;
}

function drillDowns(report: Report): string {
  const sections = report.attribution.map(attributionSection);
  return sections.length === 0 ? '' : `## Drill-down\n\n${sections.join('\n\n')}`;
}

function attributionSection(summary: AttributionSummary): string {
  const lines = [
    `### ${escapeCell(summary.measure)}`,
    '',
    `Verdict: ${attributionVerdictWords(summary.verdict, summary.mixShare)}.`,
  ];
  if (summary.singles.length > 0) {
    const rows = summary.singles.map((d) => [
      d.dimension,
      d.verdict,
      d.values
        .slice(0, 4)
        .map(({ value, share }) => `${value} ${sharePercent(share)}`)
        .join(', '),
      d.pValue === null ? '' : d.pValue < 1e-6 ? '< 0.000001' : formatNumber(d.pValue),
    ]);
    lines.push('', 'One dimension at a time:', '', table(['dimension', 'change is', 'largest shares', 'p'], rows));
  }
  if (summary.elements.length > 0) {
    const against = summary.verdict === 'mix-shift' ? 'calls against before' : 'against before';
    const rows = summary.elements
      .slice(0, 8)
      .map((e) => [e.element, sharePercent(e.share), sharePercent(e.confidence), deviationWords(e.deviation)]);
    lines.push(
      '',
      'Combined dimensions:',
      '',
      table(['combination', 'share of the change', 'confidence', against], rows),
    );
  }
  return lines.join('\n');
}

const LEDGER_TITLES = { latency: 'Latency', errors: 'Errors', traffic: 'Traffic' } as const;

function ledgers(report: Report): string {
  const sections = report.ledgers.filter((ledger) => ledger.entries.length > 0).map(ledgerSection);
  return sections.length === 0 ? '' : ['## Ledger', ...spans(report), ...sections].join('\n\n');
}

function spans({ compared }: Pick<Report, 'compared'>): string[] {
  if (compared === undefined) return [];
  const [before, now] = [compared.baseline, compared.current].map(
    ({ fromMs, toMs }) => `${formatClock(fromMs)} to ${formatClock(toMs)}`,
  );
  return [`Before: means of all windows from ${before}. Now: of all from ${now}.`];
}

function ledgerSection(ledger: ReportLedger): string {
  const show = (value: number | null): string => (value === null ? 'unknown' : formatValue(value, ledger.unit));
  const entries = ledger.entries.filter((e) => e.term !== 'unexplained' && e.term !== 'rest');
  const tail = ledger.entries.filter((e) => e.term === 'unexplained' || e.term === 'rest');
  const shown = entries.filter((e, i) => i < MAX_LEDGER_ROWS && (i < 3 || Math.abs(e.share ?? 1) >= VISIBLE_SHARE));
  const row = (e: ReportLedger['entries'][number]): string[] => [
    e.entity === null ? '' : entityWords(e.entity),
    termWords(e),
    show(e.contribution),
    e.share === null ? '' : sharePercent(e.share),
    e.standardError === null ? '' : `± ${show(e.standardError)}`,
    e.note ?? '',
  ];
  const rows = shown.map(row);
  const hidden = entries.filter((e) => !shown.includes(e));
  if (hidden.length > 0) {
    const sum = hidden.reduce((total, e) => total + (e.contribution ?? 0), 0);
    rows.push([`${hidden.length} more`, '', show(sum), '', '', '']);
  }
  rows.push(...tail.map(row));
  const head = `${LEDGER_TITLES[ledger.kind]} of ${ledger.entry}: ${show(ledger.baseline)} → ${show(ledger.current)} (change ${show(ledger.change)})`;
  const own = spans(ledger).map((line) => `\n\n${line}`);
  return `${escapeCell(head)}${own.join('')}\n\n${table(['where', 'what', 'contribution', 'share', 'noise', ''], rows)}`;
}

const TERM_WORDS: Readonly<Record<ReportLedger['entries'][number]['term'], string>> = {
  self: 'own time',
  network: 'network time',
  visits: 'visited more often',
  calls: 'more calls for each request',
  originated: 'errors of its own',
  caller: 'requests from it',
  unexplained: 'unexplained',
  rest: 'small entries',
};

/** Of what was less, that it was. */
const LESS_WORDS: Readonly<Partial<typeof TERM_WORDS>> = {
  visits: 'visited less often',
  calls: 'fewer calls for each request',
};

function termWords({ term, contribution }: ReportLedger['entries'][number]): string {
  return ((contribution ?? 0) < 0 ? LESS_WORDS[term] : undefined) ?? TERM_WORDS[term];
}

function bullets(title: string, items: readonly string[]): string {
  return items.length === 0 ? '' : `## ${title}\n\n${items.map((item) => `- ${escapeCell(item)}`).join('\n')}`;
}

function footer(report: Report): string {
  return `---\nIncident \`${escapeCell(report.incidentId)}\` · report \`${report.id}\` · revision ${report.revision} · rules \`${report.rulesHash}\` · configuration \`${report.configHash}\``;
}

function unique(lines: readonly string[]): string[] {
  return [...new Set(lines)];
}

/** Whole percents: more would pretend. */
function confidence(cause: RankedCause): string {
  return `${Math.round(cause.confidence * 100)} %`;
}

/** Text from the network must not become markup: pipes, angle brackets, backticks and line ends. */
function escapeCell(text: string): string {
  return text
    .replaceAll(/[\r\n]+/g, ' ')
    .replaceAll('\\', '\\\\')
    .replaceAll('|', '\\|')
    .replaceAll(/<(?=[A-Za-z/!?])/g, '&lt;')
    .replaceAll('`', "'");
}

function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(escapeCell).join(' | ')} |`;
  return [line(header), `|${header.map(() => '---').join('|')}|`, ...rows.map(line)].join('\n');
}
