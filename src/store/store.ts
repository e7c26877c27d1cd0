/**
 * The store: incidents, reports, outbox, positions, state and baselines in one SQLite file. A report, its outbox message
 * and the positions that led to it are written in one transaction: after a crash either all of them exist or none, and the
 * records are read again. A report's id derives from its content, so storing it twice changes nothing.
 */
import type { Incident } from '../model/incident.ts';
import type { MessageType } from '../model/outbox.ts';
import type { Report } from '../model/report.ts';
import { openDatabase, storeError, transaction } from './database.ts';
import { createOutbox } from './outbox.ts';
import type { Row } from './rows.ts';
import { integer, text } from './rows.ts';
import type { Effect, EffectResult, Store, StoredReport } from './types.ts';

export interface StoreOptions {
  /** How long a writer waits for another process. */
  readonly busyTimeoutMs?: number;
}

/** Id of the message that tells of a report: the same for every attempt, receiver and restart. */
export function messageIdOf(reportId: string): string {
  return `msg_${reportId.replace(/^rep_/, '')}`;
}

export function messageTypeOf(report: Report): MessageType {
  if (report.state === 'resolved') return 'incident.resolved';
  return report.revision === 1 ? 'incident.opened' : 'incident.updated';
}

/**
 * @param path  SQLite file, made when it does not exist; `:memory:` for none
 * @throws {RcaError} RCA_STORE: locked, damaged, not a database, or written by a newer rootwalk
 */
export function openStore(path: string, options: StoreOptions = {}): Store {
  const database = openDatabase(path, options.busyTimeoutMs);
  const sql = (statement: string): ReturnType<typeof database.prepare> => database.prepare(statement);
  const putIncident = sql(
    `INSERT INTO incidents (id, environment, state, start_ms, opened_ms, updated_ms, resolved_ms, json)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET environment = excluded.environment,
     state = excluded.state, start_ms = excluded.start_ms, opened_ms = excluded.opened_ms,
     updated_ms = excluded.updated_ms, resolved_ms = excluded.resolved_ms, json = excluded.json`,
  );
  const putReport = sql(
    `INSERT INTO reports (id, incident_id, revision, environment, reported_ms, json) VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT (id) DO NOTHING`,
  );
  const putMessage = sql(
    `INSERT INTO outbox (id, type, report_id, environment, timestamp_ms) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (id) DO NOTHING`,
  );
  const putPosition = sql(
    'INSERT INTO positions (source, next_offset) VALUES (?, ?) ON CONFLICT (source) DO UPDATE SET next_offset = excluded.next_offset',
  );
  const putState = sql(
    'INSERT INTO engine_state (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value',
  );
  const dropState = sql('DELETE FROM engine_state WHERE key = ?');
  const oneIncident = sql('SELECT json FROM incidents WHERE id = ?');
  const listIncidents = sql(
    `SELECT json FROM incidents WHERE (?1 IS NULL OR environment = ?1) AND (?2 IS NULL OR state = ?2)
     ORDER BY start_ms DESC, id LIMIT ?3`,
  );
  const oneReport = sql('SELECT json FROM reports WHERE id = ?');
  const listReports = sql('SELECT * FROM reports WHERE incident_id = ? ORDER BY revision, reported_ms, id');
  const lastReport = sql(
    'SELECT * FROM reports WHERE incident_id = ? ORDER BY revision DESC, reported_ms DESC, id DESC LIMIT 1',
  );
  const listPositions = sql('SELECT source, next_offset FROM positions');
  const oneState = sql('SELECT value FROM engine_state WHERE key = ?');
  const putBaseline = sql(
    `INSERT INTO baselines (environment, key, at_ms, data) VALUES (?, ?, ?, ?)
     ON CONFLICT (environment, key) DO UPDATE SET at_ms = excluded.at_ms, data = excluded.data`,
  );
  const oneBaseline = sql('SELECT * FROM baselines WHERE environment = ? AND key = ?');

  function apply(effect: Effect): EffectResult {
    const { incident, report, positions = [], state = {} } = effect;
    if (incident !== undefined) {
      putIncident.run(
        incident.id,
        incident.environment,
        incident.state,
        incident.startMs,
        incident.openedMs,
        incident.updatedMs,
        incident.resolvedMs ?? null,
        JSON.stringify(incident),
      );
    }
    let reportStored = false;
    let messageId: string | null = null;
    if (report !== undefined) {
      const { id, incidentId, revision, environment, reportedMs } = report;
      const changes = putReport.run(id, incidentId, revision, environment, reportedMs, JSON.stringify(report)).changes;
      reportStored = Number(changes) > 0;
      if (reportStored && effect.silent !== true) {
        messageId = messageIdOf(id);
        putMessage.run(messageId, messageTypeOf(report), id, environment, reportedMs);
      }
    }
    for (const { source, offset } of positions) putPosition.run(source, offset);
    for (const [key, value] of Object.entries(state)) {
      if (value === null) dropState.run(key);
      else putState.run(key, value);
    }
    return { reportStored, messageId };
  }

  function prune(beforeMs: number): { incidents: number; reports: number } {
    const old = `SELECT id FROM incidents WHERE state = 'resolved' AND updated_ms < ?`;
    const finished = `SELECT r.id FROM reports r WHERE r.incident_id IN (${old}) AND NOT EXISTS (
      SELECT 1 FROM outbox o LEFT JOIN deliveries d ON d.message_id = o.id
      WHERE o.report_id = r.id AND (o.routed = 0 OR d.state = 'pending'))`;
    const messages = `SELECT id FROM outbox WHERE report_id IN (${finished})`;
    sql(`DELETE FROM deliveries WHERE message_id IN (${messages})`).run(beforeMs);
    // Reports first marked through their messages: the outbox refers to reports.
    const ids = sql(finished)
      .all(beforeMs)
      .map((row) => text(row, 'id'));
    for (const id of ids) {
      sql('DELETE FROM outbox WHERE report_id = ?').run(id);
      sql('DELETE FROM reports WHERE id = ?').run(id);
    }
    const incidents = sql(
      `DELETE FROM incidents WHERE state = 'resolved' AND updated_ms < ? AND id NOT IN (SELECT incident_id FROM reports)`,
    ).run(beforeMs).changes;
    return { incidents: Number(incidents), reports: ids.length };
  }

  const store: Store = {
    ...createOutbox(database, path),
    applyEffect: (effect) => transaction(database, path, () => apply(effect)),
    incident(id) {
      const row = oneIncident.get(id);
      return row === undefined ? undefined : (JSON.parse(text(row, 'json')) as Incident);
    },
    incidents({ environment, state, limit = 100 } = {}) {
      const rows = listIncidents.all(environment ?? null, state ?? null, limit);
      return rows.map((row) => JSON.parse(text(row, 'json')) as Incident);
    },
    report(id) {
      const row = oneReport.get(id);
      return row === undefined ? undefined : (JSON.parse(text(row, 'json')) as Report);
    },
    reports: (incidentId) => listReports.all(incidentId).map(toStored),
    latestReport(incidentId) {
      const row = lastReport.get(incidentId);
      return row === undefined ? undefined : toStored(row);
    },
    positions: () => new Map(listPositions.all().map((row) => [text(row, 'source'), text(row, 'next_offset')])),
    state(key) {
      const row = oneState.get(key);
      return row === undefined ? undefined : text(row, 'value');
    },
    saveBaseline({ environment, key, atMs, data }) {
      putBaseline.run(environment, key, atMs, data);
    },
    baseline(environment, key) {
      const row = oneBaseline.get(environment, key);
      if (row === undefined) return undefined;
      return { environment, key, atMs: integer(row, 'at_ms'), data: row.data as Uint8Array };
    },
    prune: (beforeMs) => transaction(database, path, () => prune(beforeMs)),
    close() {
      if (database.isOpen) database.close();
    },
  };
  return guarded(store, path);
}

/** Every method throws RcaError instead of SQLite's own errors. */
function guarded(store: Store, path: string): Store {
  return new Proxy(store, {
    get(target, key, receiver) {
      const member: unknown = Reflect.get(target, key, receiver);
      if (typeof member !== 'function') return member;
      return (...args: unknown[]): unknown => {
        try {
          return Reflect.apply(member, target, args);
        } catch (error) {
          throw storeError(error, path);
        }
      };
    },
  });
}

function toStored(row: Row): StoredReport {
  return {
    id: text(row, 'id'),
    incidentId: text(row, 'incident_id'),
    revision: integer(row, 'revision'),
    environment: text(row, 'environment'),
    reportedMs: integer(row, 'reported_ms'),
    report: JSON.parse(text(row, 'json')) as Report,
  };
}
