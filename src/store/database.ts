/** Opens the SQLite file, brings its schema up to date, and turns SQLite's errors into ours. */
import { closeSync, mkdirSync, openSync, readSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { RcaError } from '../model/errors.ts';
import { MIGRATIONS } from './migrations.ts';

/** How long a writer waits for another one. */
const BUSY_TIMEOUT_MS = 5_000;
/** SQLite's primary result codes. */
const BUSY = 5;
const LOCKED = 6;
const READONLY = 8;
const IO_ERROR = 10;
const CORRUPT = 11;
const FULL = 13;
const CANNOT_OPEN = 14;
const NOT_A_DATABASE = 26;

/** @throws {RcaError} RCA_STORE: cannot be opened, damaged, locked, or written by a newer rootwalk */
export function openDatabase(path: string, busyTimeoutMs: number = BUSY_TIMEOUT_MS): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    if (path !== ':memory:') {
      mkdirSync(dirname(path), { recursive: true });
      refuseForeign(path);
    }
    database = new DatabaseSync(path, { timeout: busyTimeoutMs });
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;');
    migrate(database, path);
    return database;
  } catch (error) {
    database?.close();
    throw storeError(error, path);
  }
}

/** What every SQLite file begins with. */
const MAGIC = 'SQLite format 3\0';

/** A short file of something else is empty to SQLite, which would write over it. */
function refuseForeign(path: string): void {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined || !found.isFile() || found.size === 0) return;
  const head = Buffer.alloc(MAGIC.length);
  const file = openSync(path, 'r');
  try {
    readSync(file, head, 0, head.length, 0);
  } finally {
    closeSync(file);
  }
  if (head.toString('latin1') !== MAGIC)
    throw storeError(Object.assign(new Error('its header is another'), { errcode: NOT_A_DATABASE }), path);
}

function migrate(database: DatabaseSync, path: string): void {
  const version = versionOf(database);
  if (version > MIGRATIONS.length) {
    throw new RcaError(
      'RCA_STORE',
      `${path} has schema version ${version}, this rootwalk knows ${MIGRATIONS.length}: use the newer rootwalk that wrote it, or another file`,
    );
  }
  if (version === MIGRATIONS.length) return;
  database.exec('BEGIN IMMEDIATE');
  try {
    // Another process may have migrated while this one waited for the lock.
    for (let next = versionOf(database); next < MIGRATIONS.length; next++) {
      database.exec(MIGRATIONS[next] ?? '');
      database.exec(`PRAGMA user_version = ${next + 1}`);
    }
    database.exec('COMMIT');
  } catch (error) {
    // Some errors, a full disk among them, have ended the transaction already.
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  }
}

function versionOf(database: DatabaseSync): number {
  const row = database.prepare('PRAGMA user_version').get();
  return Number(row?.user_version ?? 0);
}

/** Runs a step in one immediate transaction: all of it or nothing. */
export function transaction<T>(database: DatabaseSync, path: string, step: () => T): T {
  try {
    database.exec('BEGIN IMMEDIATE');
    try {
      const result = step();
      database.exec('COMMIT');
      return result;
    } catch (error) {
      if (database.isTransaction) database.exec('ROLLBACK');
      throw error;
    }
  } catch (error) {
    throw storeError(error, path);
  }
}

/** What went wrong and the mend, as an RcaError; an RcaError stays itself. */
export function storeError(error: unknown, path: string): RcaError {
  if (error instanceof RcaError) return error;
  const code = primaryCode(error);
  const detail = error instanceof Error ? error.message : String(error);
  const [what, mend] = EXPLAIN[code] ?? ['failed', 'see the message'];
  return new RcaError(
    'RCA_STORE',
    `the database ${path} ${what} (${detail}); ${mend}`,
    { path, sqliteCode: code },
    error,
  );
}

const EXPLAIN: Readonly<Record<number, readonly [what: string, mend: string]>> = {
  [BUSY]: ['is locked by another process', 'stop the other rootwalk, or give this one its own engine.database'],
  [LOCKED]: ['is locked by another statement', 'stop the other rootwalk, or give this one its own engine.database'],
  [READONLY]: ['cannot be written', 'check the rights of the file and its folder'],
  [IO_ERROR]: ['cannot be read or written', 'see whether the disk is full (df) or broken (dmesg)'],
  [CORRUPT]: [
    'is damaged',
    'move it away (a new one is made; reports come again from the bus) or restore a backup; sqlite3 FILE ".recover" saves what is left',
  ],
  [FULL]: ['cannot grow: the disk is full', 'free some space'],
  [CANNOT_OPEN]: ['cannot be opened', 'check that the folder exists and is writable'],
  [NOT_A_DATABASE]: ['is not a SQLite database', 'name another file in engine.database, or move this one away'],
};

/** The primary code of SQLite's extended one; -1: not from SQLite. */
function primaryCode(error: unknown): number {
  if (typeof error !== 'object' || error === null || !('errcode' in error)) return -1;
  return Number(error.errcode) & 0xff;
}
