/** The outbox in SQLite: messages, their deliveries, and every attempt. */
import type { DatabaseSync } from 'node:sqlite';
import type { Outbox } from '../model/outbox.ts';
import { transaction } from './database.ts';
import { integer, text, toAttempt, toDelivery, toMessage } from './rows.ts';

export function createOutbox(database: DatabaseSync, path: string): Outbox {
  const sql = (statement: string): ReturnType<DatabaseSync['prepare']> => database.prepare(statement);
  const unrouted = sql('SELECT * FROM outbox WHERE routed = 0 ORDER BY sequence LIMIT ?');
  const addDelivery = sql(
    `INSERT INTO deliveries (message_id, receiver, state, next_attempt_ms) VALUES (?, ?, 'pending', ?)
     ON CONFLICT (message_id, receiver) DO NOTHING`,
  );
  const setRouted = sql('UPDATE outbox SET routed = 1 WHERE id = ?');
  const due = sql(
    `SELECT * FROM deliveries WHERE state = 'pending' AND next_attempt_ms <= ?
     AND receiver NOT IN (SELECT name FROM disabled_receivers)
     AND receiver NOT IN (SELECT value FROM json_each(?)) ORDER BY next_attempt_ms, id LIMIT ?`,
  );
  const nextDue = sql(
    `SELECT min(next_attempt_ms) AS at FROM deliveries WHERE state = 'pending'
     AND receiver NOT IN (SELECT name FROM disabled_receivers)`,
  );
  const oneMessage = sql('SELECT * FROM outbox WHERE id = ?');
  const oneReport = sql('SELECT json FROM reports WHERE id = ?');
  const addAttempt = sql(
    `INSERT INTO delivery_attempts (delivery_id, message_id, receiver, attempt, at_ms, status, duration_ms, error, manual)
     SELECT id, ?, ?, ?, ?, ?, ?, ?, manual FROM deliveries WHERE id = ?`,
  );
  const setDelivery = sql(
    `UPDATE deliveries SET state = ?, attempts = ?, next_attempt_ms = ?, last_status = ?, last_error = ?,
     delivered_ms = coalesce(?, delivered_ms) WHERE id = ?`,
  );
  const disable = sql(
    'INSERT INTO disabled_receivers (name, reason, at_ms) VALUES (?, ?, ?) ON CONFLICT (name) DO NOTHING',
  );
  const enable = sql('DELETE FROM disabled_receivers WHERE name = ?');
  const disabled = sql('SELECT name, reason FROM disabled_receivers ORDER BY name');
  const list = sql(
    `SELECT * FROM deliveries WHERE (?1 IS NULL OR receiver = ?1) AND (?2 IS NULL OR state = ?2)
     ORDER BY id DESC LIMIT ?3`,
  );
  const attemptsOf = sql('SELECT * FROM delivery_attempts WHERE delivery_id = ? ORDER BY id');
  const again = sql(
    `UPDATE deliveries SET state = 'pending', attempts = 0, manual = 1, next_attempt_ms = ? WHERE id = ?`,
  );

  return {
    unroutedMessages: (limit) => unrouted.all(limit).map(toMessage),
    route(messageId, receivers, nowMs) {
      transaction(database, path, () => {
        for (const receiver of receivers) addDelivery.run(messageId, receiver, nowMs);
        setRouted.run(messageId);
      });
    },
    dueDeliveries: (nowMs, limit, except = []) => due.all(nowMs, JSON.stringify(except), limit).map(toDelivery),
    nextDueMs() {
      const at = nextDue.get()?.at;
      return at === null || at === undefined ? undefined : Number(at);
    },
    message(messageId) {
      const row = oneMessage.get(messageId);
      return row === undefined ? undefined : toMessage(row);
    },
    reportJson(reportId) {
      const row = oneReport.get(reportId);
      return row === undefined ? undefined : text(row, 'json');
    },
    recordAttempt(attempt, outcome) {
      transaction(database, path, () => {
        addAttempt.run(
          attempt.messageId,
          attempt.receiver,
          attempt.attempt,
          attempt.atMs,
          attempt.status,
          attempt.durationMs,
          attempt.error,
          attempt.deliveryId,
        );
        setDelivery.run(
          outcome.state,
          attempt.attempt,
          outcome.nextAttemptMs,
          attempt.status,
          attempt.error,
          outcome.state === 'delivered' ? attempt.atMs : null,
          attempt.deliveryId,
        );
        if (outcome.disableReceiver !== undefined) disable.run(attempt.receiver, outcome.disableReceiver, attempt.atMs);
      });
    },
    disabledReceivers: () => new Map(disabled.all().map((row) => [text(row, 'name'), text(row, 'reason')])),
    enableReceiver(receiver) {
      enable.run(receiver);
    },
    deliveries: ({ receiver, state, limit }) => list.all(receiver ?? null, state ?? null, limit).map(toDelivery),
    attempts: (deliveryId) => attemptsOf.all(deliveryId).map(toAttempt),
    redeliver(deliveryId, nowMs) {
      return integer({ changes: again.run(nowMs, deliveryId).changes }, 'changes') > 0;
    },
  };
}
