/** Facts of a database: which statements and tables carry the added time, and whether it is work or waiting. */
import type { CallLeaf } from '../model/comparison.ts';
import { compareNames } from '../model/entity.ts';
import type { FactSheet } from './fact-sheet.ts';
import { setFact } from './fact-sheet.ts';
import { bestSide, errorRises, sumCalls } from './facts-edge.ts';
import { ledgerShare } from './facts-service.ts';
import { known, over } from './metric-sum.ts';
import type { Scope } from './scope.ts';

const DATABASES = new Set([
  'postgresql',
  'postgres',
  'mysql',
  'mariadb',
  'redis',
  'mongodb',
  'mssql',
  'oracle',
  'cassandra',
]);

/** PostgreSQL deadlock, lock not available, serialisation; MySQL lock wait timeout, deadlock. */
const LOCK_ERRORS = /^(40P01|55P03|40001|1205|1213|deadlock.*|lock.*)$/i;

/** PostgreSQL too many connections; MySQL the same, of the server and of one user. */
const LIMIT_ERRORS = /^(53300|1040|1203|1226|too_many_connections)$/i;

interface Statement {
  readonly text: string;
  countBefore: number;
  /** Of which the time is known. */
  timedBefore: number;
  timedNow: number;
  timeBefore: number;
  timeNow: number;
}

export function databaseFacts(scope: Scope, sheet: FactSheet): void {
  const inbound = callsToDatabase(scope);
  const database = databaseProtocol(inbound);
  setFact(sheet, 'db.is_database', inbound.length === 0 ? null : database !== undefined);
  setFact(sheet, 'db.protocol', database ?? null);
  if (database === undefined) return;
  const leaves = bestSide(
    inbound.filter((leaf) => DATABASES.has(leaf.protocol.toLowerCase())),
    'server',
  );
  setFact(sheet, 'db.self_time_share', timeShare(scope));
  const before = sumCalls(leaves, 'baseline');
  const now = sumCalls(leaves, 'current');
  setFact(sheet, 'db.latency_ratio', over(now.meanUs, before.meanUs));
  setFact(
    sheet,
    'db.rate_ratio',
    over(over(now.count, scope.currentSeconds), over(before.count, scope.baselineSeconds)),
  );
  const rises = errorRises(leaves, scope, (leaf) => leaf.errorType ?? leaf.status);
  const sumOf = (wanted: RegExp): number =>
    [...rises].filter(([type]) => wanted.test(type)).reduce((sum, [, rise]) => sum + rise, 0);
  setFact(sheet, 'db.lock_errors_rise_per_s', sumOf(LOCK_ERRORS));
  setFact(sheet, 'db.connection_limit_errors_rise_per_s', sumOf(LIMIT_ERRORS));
  statementFacts(leaves, sheet);
}

/** The database protocol that it is asked in most; undefined where most of its calls come in others. */
function databaseProtocol(inbound: readonly CallLeaf[]): string | undefined {
  const counts = new Map<string, number>();
  let total = 0;
  for (const { protocol, baseline, current } of inbound) {
    const count = baseline.count + current.count;
    total += count;
    const name = protocol.toLowerCase();
    if (DATABASES.has(name)) counts.set(name, (counts.get(name) ?? 0) + count);
  }
  const [first] = [...counts].sort((a, b) => b[1] - a[1] || compareNames(a[0], b[0]));
  return first !== undefined && 2 * first[1] >= total ? first[0] : undefined;
}

function callsToDatabase(scope: Scope): readonly CallLeaf[] {
  const { entity, service, comparison } = scope;
  if (entity.kind === 'machine') return [];
  if (entity.kind === 'instance') return comparison.calls.filter((leaf) => leaf.calleeInstance === entity.name);
  if (entity.kind === 'edge') return scope.calls;
  return comparison.calls.filter((leaf) => leaf.callee === service);
}

/** Own time of the database, and what its edges carry when the server side was not seen. */
function timeShare(scope: Scope): number | null {
  return ledgerShare(scope.walk.ledgers, 'latency', (entry) => {
    if (entry.entity === undefined) return false;
    if (entry.term === 'self') return entry.entity.name === scope.service;
    return entry.term === 'network' && entry.entity.to === scope.service;
  });
}

function statementFacts(leaves: readonly CallLeaf[], sheet: FactSheet): void {
  const statements = [...group(leaves).values()];
  const added = statements.map((s) => ({ statement: s, time: addedTime(s) })).filter(({ time }) => time > 0);
  const total = added.reduce((sum, { time }) => sum + time, 0);
  if (total <= 0) return;
  const worst = [...added].sort((a, b) => b.time - a.time || compareNames(a.statement.text, b.statement.text))[0];
  if (worst === undefined) return;
  setFact(sheet, 'db.statement_share', worst.time / total);
  setFact(sheet, 'db.top_statement', worst.statement.text);
  setFact(sheet, 'db.top_statement_writes', writesOrLocks(worst.statement.text));
  setFact(sheet, 'db.top_statement_is_new', worst.statement.countBefore === 0);
  const slowed = added.filter(({ statement, time }) => time >= 0.05 * total && slowdown(statement) >= 2);
  setFact(sheet, 'db.statements_slowed', slowed.length);
  setFact(sheet, 'db.writes_slowed', slowed.filter(({ statement }) => writesOrLocks(statement.text)).length);

  const tables = new Map<string, number>();
  for (const { statement, time } of added) {
    const table = tableOf(statement.text);
    if (table !== null) tables.set(table, (tables.get(table) ?? 0) + time);
  }
  const top = [...tables].sort((a, b) => b[1] - a[1] || compareNames(a[0], b[0]))[0];
  if (top === undefined) return;
  setFact(sheet, 'db.table_share', top[1] / total);
  setFact(sheet, 'db.top_table', top[0]);
  const others = statements.filter((s) => tableOf(s.text) !== top[0]);
  const mean = (time: 'timeBefore' | 'timeNow', count: 'timedBefore' | 'timedNow'): number | null =>
    over(
      others.reduce((sum, s) => sum + s[time], 0),
      others.reduce((sum, s) => sum + s[count], 0),
    );
  setFact(sheet, 'db.other_tables_latency_ratio', over(mean('timeNow', 'timedNow'), mean('timeBefore', 'timedBefore')));
}

function group(leaves: readonly CallLeaf[]): Map<string, Statement> {
  const statements = new Map<string, Statement>();
  for (const leaf of leaves) {
    const found = statements.get(leaf.operation) ?? {
      text: leaf.operation,
      countBefore: 0,
      timedBefore: 0,
      timedNow: 0,
      timeBefore: 0,
      timeNow: 0,
    };
    found.countBefore += leaf.baseline.count;
    const [before, now] = [known(leaf.baseline.durationSumUs), known(leaf.current.durationSumUs)];
    if (before !== null) found.timedBefore += leaf.baseline.count;
    if (now !== null) found.timedNow += leaf.current.count;
    found.timeBefore += before ?? 0;
    found.timeNow += now ?? 0;
    statements.set(leaf.operation, found);
  }
  return statements;
}

/** Time now beyond what the same calls took before; a new statement counts whole. NaN: what they took is not known. */
function addedTime({ countBefore, timedBefore, timedNow, timeBefore, timeNow }: Statement): number {
  const mean = countBefore > 0 ? timeBefore / timedBefore : 0;
  return timeNow - timedNow * mean;
}

function slowdown({ countBefore, timedBefore, timedNow, timeBefore, timeNow }: Statement): number {
  if (countBefore === 0 || timeBefore === 0) return Number.POSITIVE_INFINITY;
  if (timedNow === 0) return 0;
  return timeNow / timedNow / (timeBefore / timedBefore);
}

/** True for statements that take row or table locks others wait for. */
export function writesOrLocks(statement: string): boolean {
  return (
    /^\s*(insert|update|delete|replace|merge|truncate|alter|lock|drop)\b/i.test(statement) ||
    /^\s*with\b.*[()]\s*(insert|update|delete|merge)\b/is.test(statement) ||
    /\bfor\s+(no\s+key\s+)?(update|share|key\s+share)\b/i.test(statement) ||
    /\block\s+in\s+share\s+mode\b/i.test(statement)
  );
}

/** A `from` that names no table: `extract(year from created_at)`, `a is distinct from b`. */
const NO_TABLE = /\b(?:extract|trim|substring|overlay)\s*\([^()]*?\bfrom\b|\bdistinct\s+from\b/gi;

/** First table a statement names, lower case, without schema quotes; null: none found. */
export function tableOf(statement: string): string | null {
  const text = statement.replace(NO_TABLE, ' ');
  const match =
    /\b(?:update(?:\s+only)?|into|from|join|table|truncate)\s+(?:only\s+)?["`]?([a-z_][\w.$]*)["`]?/i.exec(text) ??
    /\block\s+(?:tables?\s+)?["`]?([a-z_][\w.$]*)["`]?/i.exec(text);
  return match?.[1]?.toLowerCase() ?? null;
}
