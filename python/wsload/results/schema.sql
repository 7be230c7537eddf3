-- A run file, schema version 1. Times are nanoseconds after the run's epoch, the instant at which its schedule
-- begins; the connect ramp lies before 0.
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE intervals (
  id INTEGER PRIMARY KEY,
  idx INTEGER NOT NULL,
  warmup INTEGER NOT NULL,
  start_ns INTEGER NOT NULL,
  end_ns INTEGER NOT NULL,
  UNIQUE (idx, warmup)
);
CREATE TABLE counters (
  interval_id INTEGER NOT NULL, name TEXT NOT NULL, value INTEGER NOT NULL, PRIMARY KEY (interval_id, name)
) WITHOUT ROWID;
CREATE TABLE gauges (
  interval_id INTEGER NOT NULL, name TEXT NOT NULL, value INTEGER NOT NULL, PRIMARY KEY (interval_id, name)
) WITHOUT ROWID;
CREATE TABLE close_codes (
  interval_id INTEGER NOT NULL, code INTEGER NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (interval_id, code)
) WITHOUT ROWID;
CREATE TABLE histograms (
  interval_id INTEGER NOT NULL, metric TEXT NOT NULL, message TEXT NOT NULL, encoded BLOB NOT NULL,
  PRIMARY KEY (interval_id, metric, message)
) WITHOUT ROWID;
CREATE TABLE failures (
  interval_id INTEGER NOT NULL, kind TEXT NOT NULL, detail TEXT NOT NULL, count INTEGER NOT NULL,
  first_ns INTEGER NOT NULL, example TEXT NOT NULL, PRIMARY KEY (interval_id, kind, detail)
) WITHOUT ROWID;
-- What new connections agreed on with the server: tls, tls_handshake, subprotocol, compression.
CREATE TABLE negotiated (
  interval_id INTEGER NOT NULL, aspect TEXT NOT NULL, value TEXT NOT NULL, count INTEGER NOT NULL,
  PRIMARY KEY (interval_id, aspect, value)
) WITHOUT ROWID;
-- Why an interval's own figures are not to be trusted: a reason as JSON (kind, text, remedy, evidence).
CREATE TABLE suspicions (
  interval_id INTEGER NOT NULL, kind TEXT NOT NULL, reason TEXT NOT NULL, PRIMARY KEY (interval_id, kind)
) WITHOUT ROWID;
-- What is kept of messages, and of what became of connections. Numbers `seq` that are missing were not kept.
CREATE TABLE events (
  id INTEGER PRIMARY KEY, at_ns INTEGER NOT NULL, connection INTEGER NOT NULL, attempt INTEGER NOT NULL,
  seq INTEGER NOT NULL, direction TEXT NOT NULL, kind TEXT NOT NULL, name TEXT, size INTEGER NOT NULL,
  latency_ns INTEGER, code INTEGER, failure TEXT, flags INTEGER NOT NULL, why INTEGER NOT NULL, payload BLOB NOT NULL
);
CREATE UNIQUE INDEX events_by_connection ON events (connection, attempt, seq);
CREATE INDEX events_by_time ON events (at_ns);
CREATE INDEX events_by_failure ON events (failure, connection, attempt) WHERE failure IS NOT NULL;
CREATE TABLE notes (id INTEGER PRIMARY KEY, at_ns INTEGER NOT NULL, kind TEXT NOT NULL, text TEXT NOT NULL);
