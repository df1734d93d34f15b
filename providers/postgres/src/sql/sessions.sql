-- Sessions: which node the activities of a session run on, until it dies or they idle. A node that
-- claims sessions holds the lock of its name meanwhile, so that it never owns too many.

-- One claim of sessions at a time for a node. To be taken before any row, or by whoever waits for
-- no row any more.
CREATE OR REPLACE FUNCTION {schema}.lock_sessions_of(p_node text) RETURNS void
LANGUAGE sql VOLATILE AS $duroxide$
  SELECT pg_advisory_xact_lock(
    hashtextextended(p_node, '{schema_text}.sessions'::regclass::oid::bigint))
$duroxide$;

-- Whether the node may own the session, if it has room for another. Looks only.
CREATE OR REPLACE FUNCTION {schema}.may_own(
  p_ns text, p_session text, p_node text, p_run bigint, p_room boolean, p_now bigint
) RETURNS boolean LANGUAGE sql STABLE AS $duroxide$
  SELECT coalesce((
    SELECT CASE WHEN s.node = p_node
                -- Of two runs of one node the newer wins; the older one keeps out.
                THEN CASE WHEN s.idle_until > p_now THEN s.node_run <= p_run ELSE p_room END
                -- Who let the lease of one of its activities run out is dead, or as good as.
                -- Leases of owners before it, of other terms, say nothing about it.
                ELSE p_room AND (s.idle_until <= p_now OR EXISTS (
                  SELECT FROM {schema}.activities AS a
                  WHERE a.ns = p_ns AND a.session = p_session AND a.lease_until <> 0
                    AND a.lease_until <= p_now AND a.session_term = s.term)) END
    FROM {schema}.sessions AS s WHERE s.ns = p_ns AND s.session = p_session), p_room)
$duroxide$;

-- Make the node the owner of the session, or leave it so, and give until when. Null: it may not
-- be. 0: somebody else has its hands on it at this moment. Waits for nobody. The term of the
-- ownership, which what is leased now belongs to, rises with every change of owner.
CREATE OR REPLACE FUNCTION {schema}.claim_session(
  p_ns text, p_session text, p_node text, p_run bigint, p_owner bigint, p_max bigint,
  p_idle bigint, p_lease_until bigint, p_now bigint
) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $duroxide$
DECLARE
  v_row {schema}.sessions;
  v_mine boolean;
  v_until bigint := greatest(p_lease_until, p_now + p_idle);
BEGIN
  SELECT s.* INTO v_row FROM {schema}.sessions AS s
  WHERE s.ns = p_ns AND s.session = p_session FOR UPDATE SKIP LOCKED;
  IF NOT FOUND AND (
    NOT pg_try_advisory_xact_lock(hashtextextended(p_ns || E'\U0010FFFE2' || p_session,
      '{schema_text}.sessions'::regclass::oid::bigint))
    OR EXISTS (SELECT FROM {schema}.sessions AS s
               WHERE s.ns = p_ns AND s.session = p_session)) THEN
    RETURN 0;
  END IF;
  IF NOT {schema}.may_own(p_ns, p_session, p_node, p_run, true, p_now) THEN
    RETURN NULL;
  END IF;
  v_mine := coalesce(v_row.node = p_node AND v_row.idle_until > p_now, false);
  IF NOT v_mine AND {schema}.owned_sessions(p_node, p_now) >= p_max THEN
    RETURN NULL;
  END IF;
  INSERT INTO {schema}.sessions AS s
    (ns, session, node, node_run, owner, idle_ms, idle_until, node_max, term)
  VALUES (p_ns, p_session, p_node, p_run, p_owner, p_idle, v_until, p_max, 1)
  ON CONFLICT (ns, session) DO UPDATE SET
    node = p_node, node_run = p_run, owner = p_owner, node_max = p_max,
    term = CASE WHEN v_mine AND s.node_run = p_run THEN s.term ELSE s.term + 1 END,
    idle_ms = CASE WHEN v_mine AND s.node_run = p_run THEN greatest(s.idle_ms, p_idle)
                   ELSE p_idle END,
    idle_until = CASE WHEN v_mine THEN greatest(s.idle_until, v_until) ELSE v_until END;
  RETURN v_until;
END $duroxide$;

CREATE OR REPLACE FUNCTION {schema}.owned_sessions(p_node text, p_now bigint) RETURNS bigint
LANGUAGE plpgsql VOLATILE AS $duroxide$
BEGIN
  -- What nobody owns or uses any more is forgotten, as far as nobody else has a hand on it.
  DELETE FROM {schema}.sessions AS s WHERE (s.ns, s.session) IN (
    SELECT o.ns, o.session FROM {schema}.sessions AS o
    WHERE o.idle_until <= p_now AND NOT EXISTS (
      SELECT FROM {schema}.activities AS a WHERE a.ns = o.ns AND a.session = o.session)
    LIMIT 100 FOR UPDATE SKIP LOCKED);
  RETURN (SELECT count(*) FROM {schema}.sessions AS s
          WHERE s.node = p_node AND s.idle_until > p_now);
END $duroxide$;

-- Activities of these sessions ended or were handed back: from here on each session idles, unless
-- another of its activities is held. Gives until when.
CREATE OR REPLACE FUNCTION {schema}.sessions_used(p_ns text, p_sessions text[], p_now bigint) RETURNS bigint[]
LANGUAGE plpgsql VOLATILE AS $duroxide$
DECLARE
  v_times bigint[];
BEGIN
  PERFORM 1 FROM {schema}.sessions AS s
  WHERE s.ns = p_ns AND s.session = ANY (p_sessions) ORDER BY s.session FOR UPDATE;
  WITH used AS (
    UPDATE {schema}.sessions AS s SET idle_until = greatest(p_now + s.idle_ms, (
      SELECT max(a.lease_until) FROM {schema}.activities AS a
      WHERE a.ns = s.ns AND a.session = s.session AND a.lease_until <> 0))
    WHERE s.ns = p_ns AND s.session = ANY (p_sessions) AND s.idle_until > p_now
    RETURNING s.idle_until)
  SELECT array_agg(used.idle_until) INTO v_times FROM used;
  RETURN coalesce(v_times, '{}');
END $duroxide$;
