-- One row: the schema, the clock that never goes back, and the one sequence that names
-- incarnations, messages and nodes, so that no number is ever given twice.
CREATE TABLE store (
  schema_version INTEGER NOT NULL,
  min_reader_version INTEGER NOT NULL,
  clock INTEGER NOT NULL,
  sequence INTEGER NOT NULL
) STRICT;
INSERT INTO store VALUES (1, 1, 0, 0);

-- Routing only; no payload. ready_at: when the instance next has something to do.
CREATE TABLE instances (
  incarnation INTEGER PRIMARY KEY,
  ns TEXT NOT NULL,
  id TEXT NOT NULL,
  name TEXT NOT NULL,
  version TEXT,
  flags INTEGER NOT NULL DEFAULT 0,
  execution INTEGER NOT NULL DEFAULT 1,
  next_event INTEGER NOT NULL DEFAULT 1,
  turn INTEGER NOT NULL DEFAULT 0,
  last_commit BLOB,
  state INTEGER NOT NULL DEFAULT 0,
  ready_at INTEGER,
  not_before INTEGER NOT NULL DEFAULT 0,
  stop INTEGER NOT NULL DEFAULT 0,
  attempt INTEGER NOT NULL DEFAULT 0,
  lease BLOB,
  lease_until INTEGER NOT NULL DEFAULT 0,
  node TEXT,
  node_run INTEGER,
  owner INTEGER,
  kept INTEGER NOT NULL DEFAULT 0,
  offer BLOB,
  offered_at INTEGER NOT NULL DEFAULT 0,
  offered_id INTEGER NOT NULL DEFAULT 0,
  parent INTEGER,
  parent_id TEXT,
  parent_execution INTEGER,
  parent_event INTEGER,
  root INTEGER NOT NULL,
  status_version INTEGER NOT NULL DEFAULT 0,
  revision INTEGER NOT NULL DEFAULT 1,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  ended_at INTEGER,
  quarantine TEXT,
  UNIQUE (ns, id)
) STRICT;
CREATE INDEX instances_ready ON instances (ready_at) WHERE ready_at IS NOT NULL;
CREATE INDEX instances_leased ON instances (lease_until, lease) WHERE lease IS NOT NULL;
CREATE INDEX instances_offered ON instances (offer) WHERE offer IS NOT NULL;
CREATE INDEX instances_children ON instances (root, parent) WHERE parent IS NOT NULL;

CREATE TABLE executions (
  incarnation INTEGER NOT NULL,
  execution INTEGER NOT NULL,
  state INTEGER NOT NULL DEFAULT 0,
  outcome BLOB,
  started_at INTEGER NOT NULL,
  ended_at INTEGER,
  events INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (incarnation, execution)
) STRICT, WITHOUT ROWID;

-- One row a commit: its events, one to a line.
CREATE TABLE events (
  incarnation INTEGER NOT NULL,
  execution INTEGER NOT NULL,
  first_event INTEGER NOT NULL,
  last_event INTEGER NOT NULL,
  bytes BLOB NOT NULL,
  PRIMARY KEY (incarnation, execution, first_event)
) STRICT, WITHOUT ROWID;

CREATE TABLE statuses (
  incarnation INTEGER PRIMARY KEY,
  status TEXT,
  base TEXT
) STRICT;

-- Messages not yet consumed, timers among them: theirs become visible later.
-- execution is NULL for what outlives executions.
CREATE TABLE inbox (
  id INTEGER PRIMARY KEY,
  incarnation INTEGER NOT NULL,
  execution INTEGER,
  visible_at INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  source INTEGER,
  channel INTEGER,
  name TEXT,
  seen INTEGER NOT NULL DEFAULT 0,
  body BLOB NOT NULL
) STRICT;
CREATE INDEX inbox_unseen ON inbox (incarnation, visible_at, id) WHERE seen = 0;
CREATE INDEX inbox_mail ON inbox (incarnation, channel, name, id) WHERE seen = 1;
CREATE INDEX inbox_timers ON inbox (incarnation, execution, source) WHERE kind = 2;

-- Activities not yet completed. seq orders those of one moment.
CREATE TABLE activities (
  incarnation INTEGER NOT NULL,
  execution INTEGER NOT NULL,
  event INTEGER NOT NULL,
  ns TEXT NOT NULL,
  name TEXT NOT NULL,
  tag TEXT,
  session TEXT,
  encoding INTEGER NOT NULL,
  input BLOB NOT NULL,
  headers BLOB,
  seq INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  visible_at INTEGER NOT NULL,
  lease BLOB,
  lease_until INTEGER NOT NULL,
  owner INTEGER,
  PRIMARY KEY (incarnation, execution, event)
) STRICT, WITHOUT ROWID;
CREATE INDEX activities_waiting ON activities (visible_at, seq) WHERE lease IS NULL;
CREATE INDEX activities_waiting_by_name ON activities (name, visible_at) WHERE lease IS NULL;
CREATE INDEX activities_leased ON activities (lease_until, lease) WHERE lease IS NOT NULL;
CREATE INDEX activities_session ON activities (ns, session) WHERE session IS NOT NULL;

CREATE TABLE kv (
  incarnation INTEGER NOT NULL,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (incarnation, key)
) STRICT, WITHOUT ROWID;
-- As it was when the current execution began.
CREATE TABLE kv_base (
  incarnation INTEGER NOT NULL,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (incarnation, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE sessions (
  ns TEXT NOT NULL,
  session TEXT NOT NULL,
  node TEXT NOT NULL,
  node_run INTEGER NOT NULL,
  owner INTEGER NOT NULL,
  idle_ms INTEGER NOT NULL,
  idle_until INTEGER NOT NULL,
  PRIMARY KEY (ns, session)
) STRICT, WITHOUT ROWID;

-- Requests of clients that were applied, for as long as they may come again.
CREATE TABLE requests (
  id INTEGER PRIMARY KEY,
  request BLOB NOT NULL UNIQUE,
  answer INTEGER NOT NULL,
  at INTEGER NOT NULL
) STRICT;

-- Commits that were given up before they were applied, while they could still be.
CREATE TABLE abandoned (
  commit_id BLOB PRIMARY KEY,
  incarnation INTEGER NOT NULL,
  base BLOB
) STRICT, WITHOUT ROWID;

-- Open handles on a shared file, each alive while it holds the lock on its own file.
CREATE TABLE nodes (
  owner INTEGER PRIMARY KEY,
  lock TEXT NOT NULL
) STRICT;
