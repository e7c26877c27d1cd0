/** The schema of the database, as steps. Append only: a step that was released is never edited. */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE incidents (
    id TEXT PRIMARY KEY, environment TEXT NOT NULL, state TEXT NOT NULL,
    start_ms INTEGER NOT NULL, opened_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL, resolved_ms INTEGER,
    json TEXT NOT NULL
  ) STRICT;
  CREATE INDEX incidents_by_time ON incidents (environment, start_ms);

  CREATE TABLE reports (
    id TEXT PRIMARY KEY, incident_id TEXT NOT NULL, revision INTEGER NOT NULL, environment TEXT NOT NULL,
    reported_ms INTEGER NOT NULL, json TEXT NOT NULL
  ) STRICT;
  CREATE INDEX reports_by_incident ON reports (incident_id, revision, reported_ms);

  CREATE TABLE outbox (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE, type TEXT NOT NULL, report_id TEXT NOT NULL REFERENCES reports (id),
    environment TEXT NOT NULL, timestamp_ms INTEGER NOT NULL, routed INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  CREATE INDEX outbox_unrouted ON outbox (sequence) WHERE routed = 0;

  CREATE TABLE deliveries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    message_id TEXT NOT NULL, receiver TEXT NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,
    next_attempt_ms INTEGER NOT NULL, last_status INTEGER, last_error TEXT, delivered_ms INTEGER, manual INTEGER NOT NULL DEFAULT 0,
    UNIQUE (message_id, receiver)
  ) STRICT;
  CREATE INDEX deliveries_due ON deliveries (next_attempt_ms) WHERE state = 'pending';

  CREATE TABLE delivery_attempts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    delivery_id INTEGER NOT NULL REFERENCES deliveries (id) ON DELETE CASCADE,
    message_id TEXT NOT NULL, receiver TEXT NOT NULL, attempt INTEGER NOT NULL, at_ms INTEGER NOT NULL,
    status INTEGER, duration_ms INTEGER NOT NULL, error TEXT, manual INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  CREATE INDEX attempts_by_delivery ON delivery_attempts (delivery_id, id);

  CREATE TABLE disabled_receivers (name TEXT PRIMARY KEY, reason TEXT NOT NULL, at_ms INTEGER NOT NULL) STRICT;

  CREATE TABLE positions (source TEXT PRIMARY KEY, next_offset TEXT NOT NULL) STRICT;
  CREATE TABLE engine_state (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
  CREATE TABLE baselines (
    environment TEXT NOT NULL, key TEXT NOT NULL, at_ms INTEGER NOT NULL, data BLOB NOT NULL,
    PRIMARY KEY (environment, key)
  ) STRICT;
  `,
];
