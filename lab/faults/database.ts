/** Faults inside PostgreSQL: a lock that is held, a statement that became slow. */
import { setTimeout as sleep } from 'node:timers/promises';
import { RcaError } from '../../src/model/errors.ts';
import type { Arguments } from '../types.ts';
import type { StartFault } from './fault.ts';
import { numberArgument, textArgument } from './fault.ts';

const IDENTIFIER = /^[a-z_][a-z0-9_]*$/;
const LOCK_MODES = ['EXCLUSIVE', 'ACCESS EXCLUSIVE', 'SHARE ROW EXCLUSIVE'] as const;
const SAMPLE_MS = 2_000;

function identifier(args: Arguments, name: string): string {
  const value = textArgument(args, name, '');
  if (IDENTIFIER.test(value)) return value;
  throw new RcaError('RCA_BAD_CONFIG', `lab: argument "${name}" must be a table name, found "${value}"`);
}

/** `mode` rows: a transaction that has updated every row; else the mode of LOCK TABLE (default EXCLUSIVE: reads pass). */
export const databaseLock: StartFault = async (lab, target, args) => {
  const postgres = lab.postgres(target.store ?? '');
  const table = identifier(args, 'table');
  const mode = textArgument(args, 'mode', 'EXCLUSIVE');
  if (mode !== 'rows' && !LOCK_MODES.some((known) => known === mode)) {
    throw new RcaError('RCA_BAD_CONFIG', `lab: lock mode "${mode}" is none of rows, ${LOCK_MODES.join(', ')}`);
  }
  const lock = mode === 'rows' ? `UPDATE ${table} SET id = id` : `LOCK TABLE ${table} IN ${mode} MODE`;
  const session = await postgres.hold(['BEGIN', lock]);
  let mostWaiting = 0;
  const over = new AbortController();
  const sample = async (): Promise<void> => {
    while (!over.signal.aborted) {
      mostWaiting = Math.max(mostWaiting, await postgres.waiting());
      await sleep(SAMPLE_MS, undefined, { signal: over.signal });
    }
  };
  const sampling = sample().catch(() => undefined);
  return {
    stop: async () => {
      over.abort();
      mostWaiting = Math.max(mostWaiting, await postgres.waiting());
      await session.close();
      await sampling;
      return { mostSessionsWaiting: mostWaiting };
    },
  };
};

/**
 * Every statement on `table` takes `delayMs` (default 80) longer: a view that sleeps once stands in its place. With `growS`
 * it grows evenly to that within so many seconds.
 */
export const slowStatement: StartFault = async (lab, target, args) => {
  const postgres = lab.postgres(target.store ?? '');
  const table = identifier(args, 'table');
  const delayS = numberArgument(args, 'delayMs', 80) / 1_000;
  const growS = numberArgument(args, 'growS', 0);
  const elapsed = `extract(epoch FROM clock_timestamp()) - ${Date.now() / 1_000}`;
  const sleepS = growS > 0 ? `${delayS} * least(1, (${elapsed}) / ${growS})` : `${delayS}`;
  const swap = [
    `ALTER TABLE ${table} RENAME TO ${table}_base`,
    `CREATE VIEW ${table} AS SELECT * FROM ${table}_base WHERE (SELECT true FROM pg_sleep(${sleepS}))`,
  ];
  await postgres.execute(`BEGIN; ${swap.join('; ')}; COMMIT`);
  return {
    stop: async () => {
      const begun = performance.now();
      await postgres.execute(`SELECT 1 FROM ${table} LIMIT 1`);
      const statementMs = performance.now() - begun;
      await postgres.execute(`BEGIN; DROP VIEW ${table}; ALTER TABLE ${table}_base RENAME TO ${table}; COMMIT`);
      return { statementMs };
    },
  };
};
