-- Tables, indexes, numbers and the clock. {schema} is the schema's name as an identifier, quoted;
-- {schema_text} is the same for use between apostrophes. Text of users has had its NUL characters
-- escaped, which PostgreSQL cannot store.
--
-- The functions that are called from outside set the planner to go by indexes alone, and to join in
-- the order in which joins are written. A plan is kept for as long as a connection lives: one
-- made while a table was small must do when it is large. For the same reason indexes of a part of a
-- table say in different words that a row is nobody's: lease is null, lease has one null, owner is
-- null or 0, and for activities lease_until is 0. A query that says it in one way can use no index
-- that says it in another. (lease_until of an instance is in no index: prolonging a lease would
-- move entries of all of them.)

-- The one row says who may read and write this store.
CREATE TABLE {schema}.store (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  schema_version integer NOT NULL,
  min_reader_version integer NOT NULL
);
INSERT INTO {schema}.store (schema_version, min_reader_version) VALUES (1, 1);

-- Numbers that are never given twice: incarnations, messages, activities, requests, handles.
CREATE SEQUENCE {schema}.ids;
-- The latest time given, and how far the store's clock is ahead of the wall clock, in ms. They are
-- sequences because these leave no dead rows behind and do not wait for anybody's transaction.
CREATE SEQUENCE {schema}.clock MINVALUE 0 START 0;
CREATE SEQUENCE {schema}.clock_ahead MINVALUE 0 START 0;
-- Below these times the queues hold nothing alive, so that a look at a queue does not pass over
-- what was taken from it and cannot be vacuumed yet. See floors.sql.
CREATE SEQUENCE {schema}.floor_free MINVALUE 0 START 0;
CREATE SEQUENCE {schema}.floor_expired MINVALUE 0 START 0;
CREATE SEQUENCE {schema}.floor_waiting MINVALUE 0 START 0;
CREATE SEQUENCE {schema}.floor_held MINVALUE 0 START 0;
-- How many transactions changed nothing but these numbers. See look_around.
CREATE SEQUENCE {schema}.idle;
-- When the floors were last raised, and when they were last checked against all there is.
CREATE SEQUENCE {schema}.floors_raised MINVALUE 0 START 0;
CREATE SEQUENCE {schema}.floors_checked MINVALUE 0 START 0;

-- Routing only; no payload. ready_at: when the instance next has something to do, held or not.
CREATE TABLE {schema}.instances (
  incarnation bigint PRIMARY KEY,
  ns text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  version text COLLATE "C",
  flags bigint NOT NULL DEFAULT 0,
  execution bigint NOT NULL DEFAULT 1,
  next_event bigint NOT NULL DEFAULT 1,
  turn bigint NOT NULL DEFAULT 0,
  last_commit uuid,
  state smallint NOT NULL DEFAULT 0,
  ready_at bigint,
  not_before bigint NOT NULL DEFAULT 0,
  stop boolean NOT NULL DEFAULT false,
  attempt integer NOT NULL DEFAULT 0,
  lease uuid,
  lease_until bigint NOT NULL DEFAULT 0,
  node text COLLATE "C",
  node_run bigint,
  owner bigint,
  kept boolean NOT NULL DEFAULT false,
  offer uuid,
  offered_at bigint NOT NULL DEFAULT 0,
  offered_id bigint NOT NULL DEFAULT 0,
  parent bigint,
  parent_id text COLLATE "C",
  parent_execution bigint,
  parent_event bigint,
  root bigint NOT NULL,
  status_version bigint NOT NULL DEFAULT 0,
  revision bigint NOT NULL DEFAULT 1,
  created_at bigint NOT NULL,
  updated_at bigint NOT NULL,
  ended_at bigint,
  waiting text,
  quarantine text,
  -- What a node must have registered: the name, and the version if there is one. What stands
  -- between them is in no text of users.
  kind text COLLATE "C" NOT NULL GENERATED ALWAYS AS (
    CASE WHEN version IS NULL THEN name ELSE name || E'\U0010FFFE2' || version END) STORED,
  -- When what is held and ready may be taken over. A column of its own, so that the commit that
  -- only prolongs a lease touches no index.
  expires_at bigint GENERATED ALWAYS AS (
    CASE WHEN lease IS NULL OR ready_at IS NULL THEN NULL
         WHEN lease_until > ready_at THEN lease_until ELSE ready_at END) STORED,
  UNIQUE (ns, id)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500,
        autovacuum_analyze_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX instances_free ON {schema}.instances (ready_at, incarnation)
  WHERE ready_at IS NOT NULL AND lease IS NULL;
CREATE INDEX instances_free_by_kind ON {schema}.instances (kind, ready_at, incarnation)
  WHERE ready_at IS NOT NULL AND num_nulls(lease) = 1;
CREATE INDEX instances_free_to_stop ON {schema}.instances (ready_at, incarnation)
  WHERE ready_at IS NOT NULL AND num_nulls(lease) = 1 AND stop;
CREATE INDEX instances_expired ON {schema}.instances (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX instances_news ON {schema}.instances (node, node_run)
  WHERE ready_at IS NOT NULL AND num_nulls(lease) = 0;
CREATE INDEX instances_leased ON {schema}.instances (lease) WHERE lease IS NOT NULL;
CREATE INDEX instances_offered ON {schema}.instances (offer) WHERE offer IS NOT NULL;
CREATE INDEX instances_children ON {schema}.instances (root, parent) WHERE parent IS NOT NULL;

CREATE TABLE {schema}.executions (
  incarnation bigint NOT NULL,
  execution bigint NOT NULL,
  state smallint NOT NULL DEFAULT 0,
  outcome bytea,
  started_at bigint NOT NULL,
  ended_at bigint,
  events bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (incarnation, execution)
) WITH (fillfactor = 90);

-- One row a commit: its events, one to a line.
CREATE TABLE {schema}.events (
  incarnation bigint NOT NULL,
  execution bigint NOT NULL,
  first_event bigint NOT NULL,
  last_event bigint NOT NULL,
  bytes bytea NOT NULL,
  PRIMARY KEY (incarnation, execution, first_event)
);

CREATE TABLE {schema}.statuses (
  incarnation bigint PRIMARY KEY,
  status text,
  base text
) WITH (fillfactor = 80);

-- Messages not yet consumed, timers among them: theirs become visible later. execution is null
-- for what outlives executions. kind: 0 start, 1 activity done, 2 timer, 3 child done, 4 mail,
-- 5 cancel, 6 terminate, of which name is the reason in JSON. The name and parent within the body
-- of a start are those of the instance's row.
CREATE TABLE {schema}.inbox (
  id bigint PRIMARY KEY,
  incarnation bigint NOT NULL,
  execution bigint,
  visible_at bigint NOT NULL,
  kind smallint NOT NULL,
  source bigint,
  channel smallint,
  name text COLLATE "C",
  seen boolean NOT NULL DEFAULT false,
  body bytea NOT NULL
) WITH (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500,
        autovacuum_analyze_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX inbox_unseen ON {schema}.inbox (incarnation, visible_at, id) WHERE NOT seen;
CREATE INDEX inbox_ends ON {schema}.inbox (incarnation, kind, id)
  WHERE NOT seen AND kind IN (0, 6);
CREATE INDEX inbox_mail ON {schema}.inbox (incarnation, channel, name, id) WHERE seen;
CREATE INDEX inbox_timers ON {schema}.inbox (incarnation, execution, source) WHERE kind = 2;

-- Activities not yet completed. seq orders those of one moment.
CREATE TABLE {schema}.activities (
  incarnation bigint NOT NULL,
  execution bigint NOT NULL,
  event bigint NOT NULL,
  ns text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  tag text COLLATE "C",
  session text COLLATE "C",
  encoding smallint NOT NULL,
  input bytea NOT NULL,
  headers bytea,
  seq bigint NOT NULL,
  attempt integer NOT NULL,
  visible_at bigint NOT NULL,
  lease uuid,
  lease_until bigint NOT NULL DEFAULT 0,
  owner bigint,
  node text COLLATE "C",
  -- What a node must take: the name, and the tag if there is one.
  kind text COLLATE "C" NOT NULL GENERATED ALWAYS AS (
    CASE WHEN tag IS NULL THEN name ELSE name || E'\U0010FFFE2' || tag END) STORED,
  PRIMARY KEY (incarnation, execution, event)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500,
        autovacuum_analyze_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX activities_waiting ON {schema}.activities (visible_at, seq) WHERE lease IS NULL;
CREATE INDEX activities_waiting_by_name ON {schema}.activities (name, visible_at, seq)
  WHERE owner IS NULL;
CREATE INDEX activities_waiting_by_kind ON {schema}.activities (kind, visible_at, seq)
  WHERE lease_until = 0 AND session IS NULL;
CREATE INDEX activities_waiting_for_session ON {schema}.activities (visible_at, seq)
  WHERE lease_until = 0 AND session IS NOT NULL;
CREATE INDEX activities_unclaimed ON {schema}.activities (incarnation, visible_at)
  WHERE coalesce(owner, 0) = 0;
CREATE INDEX activities_held ON {schema}.activities (lease_until) WHERE lease_until > 0;
CREATE INDEX activities_leased ON {schema}.activities (lease) WHERE lease IS NOT NULL;
CREATE INDEX activities_session ON {schema}.activities (session, ns, visible_at, seq)
  WHERE session IS NOT NULL;

CREATE TABLE {schema}.kv (
  incarnation bigint NOT NULL,
  key text COLLATE "C" NOT NULL,
  value text NOT NULL,
  updated_at bigint NOT NULL,
  PRIMARY KEY (incarnation, key)
) WITH (fillfactor = 80);
-- As it was when the current execution began.
CREATE TABLE {schema}.kv_base (LIKE {schema}.kv INCLUDING ALL);

-- node_max: how many sessions their owner may own.
CREATE TABLE {schema}.sessions (
  ns text COLLATE "C" NOT NULL,
  session text COLLATE "C" NOT NULL,
  node text COLLATE "C" NOT NULL,
  node_run bigint NOT NULL,
  owner bigint NOT NULL,
  idle_ms bigint NOT NULL,
  idle_until bigint NOT NULL,
  node_max bigint NOT NULL,
  PRIMARY KEY (ns, session)
) WITH (fillfactor = 70);
CREATE INDEX sessions_owned ON {schema}.sessions (node, idle_until);
CREATE INDEX sessions_idle ON {schema}.sessions (idle_until);

-- Requests of clients that were applied, for as long as they may come again.
CREATE TABLE {schema}.requests (
  request uuid PRIMARY KEY,
  id bigint NOT NULL,
  answer smallint NOT NULL,
  at bigint NOT NULL
);
CREATE INDEX requests_oldest ON {schema}.requests (id);

-- Commits that were given up before they were applied, while they could still be.
CREATE TABLE {schema}.abandoned (
  incarnation bigint NOT NULL,
  commit_id uuid NOT NULL,
  base uuid,
  PRIMARY KEY (incarnation, commit_id)
);

-- Open handles, each alive while a session holds the advisory lock of the number in session. A
-- handle whose session was cut begins another, and stays the same owner.
CREATE TABLE {schema}.nodes (
  owner bigint PRIMARY KEY,
  session bigint NOT NULL,
  joined_at bigint NOT NULL
);

-- The wall clock of the server, in ms since 1970. The only place that reads it.
CREATE FUNCTION {schema}.wall_ms() RETURNS bigint LANGUAGE sql VOLATILE AS $duroxide$
  SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint
$duroxide$;

-- The store's time: the wall clock, unless that was set back; then it goes on from where it was.
-- Never less than any that was kept, never standing still. Whoever writes it down keeps it; whoever
-- only reads it does so now and then, so that a store where nothing happens loses little of it.
CREATE FUNCTION {schema}.time_ms(p_keep boolean) RETURNS bigint LANGUAGE plpgsql VOLATILE
AS $duroxide$
DECLARE
  -- Not more often: to keep it is a transaction that changes something, and wakes who polls.
  c_coarsely CONSTANT bigint := 10000;
  v_last bigint;
  v_ahead bigint;
  v_wall bigint;
BEGIN
  -- The time last kept is read before the wall clock, which is not behind it therefore, unless it
  -- was set back.
  SELECT c.last_value, a.last_value INTO v_last, v_ahead
  FROM {schema}.clock AS c, {schema}.clock_ahead AS a;
  v_wall := {schema}.wall_ms();
  IF v_wall + v_ahead < v_last THEN
    PERFORM setval('{schema_text}.clock_ahead', v_last - v_wall);
    RETURN v_last;
  ELSIF v_ahead > 0 AND v_wall > v_last THEN
    -- The wall clock has caught up.
    PERFORM setval('{schema_text}.clock_ahead', 0);
    v_ahead := 0;
  END IF;
  IF v_wall + v_ahead > v_last + (CASE WHEN p_keep THEN 0 ELSE c_coarsely END) THEN
    PERFORM setval('{schema_text}.clock', v_wall + v_ahead);
  END IF;
  RETURN v_wall + v_ahead;
END $duroxide$;

-- Nobody need look because of this transaction: it looked for work and found none, or kept the time.
CREATE FUNCTION {schema}.nothing_changed() RETURNS void LANGUAGE plpgsql VOLATILE AS $duroxide$
BEGIN
  IF pg_current_xact_id_if_assigned() IS NOT NULL THEN
    PERFORM nextval('{schema_text}.idle');
  END IF;
END $duroxide$;

-- The store's time for what is written.
CREATE FUNCTION {schema}.now_ms() RETURNS bigint LANGUAGE sql VOLATILE AS $duroxide$
  SELECT {schema}.time_ms(true)
$duroxide$;

-- The store's time for what is only read.
CREATE FUNCTION {schema}.peek_ms() RETURNS bigint LANGUAGE sql VOLATILE AS $duroxide$
  SELECT {schema}.time_ms(false)
$duroxide$;
