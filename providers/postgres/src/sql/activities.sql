-- Handing out queued activities, and taking their completions.

-- Of what waits, what the node can take: of the first of all there are, those for the node; if
-- these are not enough, the first of each kind it takes, and the first of sessions it may own.
-- p_kinds is null for a node that takes every tag.
CREATE OR REPLACE FUNCTION {schema}.waiting_activities(
  p_node text, p_run bigint, p_names text[], p_kinds text[], p_room boolean, p_max integer,
  p_now bigint
) RETURNS TABLE (
  incarnation bigint, execution bigint, event bigint, session text, visible_at bigint, seq bigint
) LANGUAGE plpgsql VOLATILE AS $duroxide$
#variable_conflict use_column
DECLARE
  c_head CONSTANT integer := 100 + 2 * p_max;
  v_floor bigint := (SELECT f.last_value FROM {schema}.floor_waiting AS f);
  v_seen bigint;
  v_fits bigint[];
BEGIN
  SELECT count(*), array_agg(h.seq) FILTER (WHERE h.fits) INTO v_seen, v_fits
  FROM (
    SELECT a.seq, CASE WHEN p_kinds IS NULL THEN a.name = ANY (p_names)
                       ELSE a.kind = ANY (p_kinds) END
                  AND (a.session IS NULL
                       OR {schema}.may_own(a.ns, a.session, p_node, p_run, p_room, p_now)) AS fits
    FROM {schema}.activities AS a
    WHERE a.lease IS NULL AND a.visible_at >= v_floor AND a.visible_at <= p_now
    ORDER BY a.visible_at, a.seq LIMIT c_head) AS h;
  IF v_seen < c_head OR cardinality(v_fits) >= c_head / 2 THEN
    RETURN QUERY SELECT h.* FROM (
      SELECT a.incarnation, a.execution, a.event, a.session, a.visible_at, a.seq
      FROM {schema}.activities AS a
      WHERE a.lease IS NULL AND a.visible_at >= v_floor AND a.visible_at <= p_now
      ORDER BY a.visible_at, a.seq LIMIT c_head) AS h
    WHERE h.seq = ANY (v_fits);
    RETURN;
  END IF;
  RETURN QUERY SELECT w.* FROM unnest(p_kinds) AS k (kind)
  CROSS JOIN LATERAL (
    SELECT a.incarnation, a.execution, a.event, a.session, a.visible_at, a.seq
    FROM {schema}.activities AS a
    WHERE a.kind = k.kind AND a.lease_until = 0 AND a.session IS NULL
      AND a.visible_at >= v_floor AND a.visible_at <= p_now
    ORDER BY a.visible_at, a.seq LIMIT c_head) AS w;
  RETURN QUERY SELECT w.* FROM unnest(p_names) AS n (name)
  CROSS JOIN LATERAL (
    SELECT a.incarnation, a.execution, a.event, a.session, a.visible_at, a.seq
    FROM {schema}.activities AS a
    WHERE p_kinds IS NULL AND a.name = n.name AND a.owner IS NULL AND a.session IS NULL
      AND a.visible_at >= v_floor AND a.visible_at <= p_now
    ORDER BY a.visible_at, a.seq LIMIT c_head) AS w;
  RETURN QUERY SELECT a.incarnation, a.execution, a.event, a.session, a.visible_at, a.seq
  FROM {schema}.activities AS a
  WHERE a.lease_until = 0 AND a.session IS NOT NULL
    AND a.visible_at >= v_floor AND a.visible_at <= p_now
    AND CASE WHEN p_kinds IS NULL THEN a.name = ANY (p_names) ELSE a.kind = ANY (p_kinds) END
    AND {schema}.may_own(a.ns, a.session, p_node, p_run, p_room, p_now)
  ORDER BY a.visible_at, a.seq LIMIT c_head;
END $duroxide$;

-- What the node may be given, in order: what nobody holds any longer first, it is the older; then
-- what waits.
CREATE OR REPLACE FUNCTION {schema}.ready_activities(
  p_node text, p_run bigint, p_names text[], p_kinds text[], p_room boolean, p_max integer,
  p_now bigint
) RETURNS TABLE (incarnation bigint, execution bigint, event bigint, session text)
LANGUAGE plpgsql VOLATILE AS $duroxide$
#variable_conflict use_column
DECLARE
  c_many CONSTANT integer := 1000;
  v_floor bigint := (SELECT f.last_value FROM {schema}.floor_held AS f);
BEGIN
  RETURN QUERY SELECT r.incarnation, r.execution, r.event, r.session FROM (
    (SELECT 0 AS rank, a.incarnation, a.execution, a.event, a.session, a.visible_at, a.seq
     FROM {schema}.activities AS a
     WHERE a.lease_until > 0 AND a.lease_until >= v_floor AND a.lease_until <= p_now
       AND CASE WHEN p_kinds IS NULL THEN a.name = ANY (p_names) ELSE a.kind = ANY (p_kinds) END
       AND (a.session IS NULL
            OR {schema}.may_own(a.ns, a.session, p_node, p_run, p_room, p_now))
     ORDER BY a.lease_until LIMIT c_many)
    UNION ALL
    SELECT 1, w.* FROM {schema}.waiting_activities(p_node, p_run, p_names, p_kinds, p_room, p_max,
                                                   p_now) AS w) AS r
  WHERE NOT EXISTS (SELECT FROM {schema}.instances AS i
                    WHERE i.incarnation = r.incarnation AND i.quarantine IS NOT NULL)
  ORDER BY r.rank, r.visible_at, r.seq;
END $duroxide$;

-- Take as many as are wanted and to be had. again: it is worth another look, since there was no
-- room for another session. contended: somebody else had its hands on a session.
CREATE OR REPLACE FUNCTION {schema}.take_activities(
  p_lease uuid, p_node text, p_run bigint, p_owner bigint, p_names text[], p_kinds text[],
  p_session_max bigint, p_idle bigint, p_max integer, p_duration bigint,
  OUT taken integer, OUT due bigint, OUT again boolean, OUT contended boolean
) LANGUAGE plpgsql VOLATILE AS $duroxide$
#variable_conflict use_variable
DECLARE
  v_now bigint := {schema}.peek_ms();
  v_ready record;
  v_room boolean;
  v_ns text;
  v_until bigint;
BEGIN
  taken := 0;
  again := false;
  contended := false;
  SELECT count(*) < p_session_max INTO v_room FROM {schema}.sessions AS s
  WHERE s.node = p_node AND s.idle_until > v_now;
  FOR v_ready IN
    SELECT r.* FROM {schema}.ready_activities(p_node, p_run, p_names, p_kinds, v_room, p_max,
                                              v_now) AS r
  LOOP
    EXIT WHEN taken >= p_max;
    SELECT a.ns INTO v_ns FROM {schema}.activities AS a
    WHERE a.incarnation = v_ready.incarnation AND a.execution = v_ready.execution
      AND a.event = v_ready.event AND (a.lease IS NULL OR a.lease_until <= v_now)
      -- Handed back since it was looked at, to rest, or of an instance that was set aside.
      AND a.visible_at <= v_now
    FOR UPDATE SKIP LOCKED;
    CONTINUE WHEN NOT FOUND;
    v_now := {schema}.now_ms();
    IF v_ready.session IS NOT NULL THEN
      v_until := {schema}.claim_session(v_ns, v_ready.session, p_node, p_run, p_owner,
                                        p_session_max, p_idle, v_now + p_duration, v_now);
      again := again OR v_until IS NULL;
      contended := contended OR v_until = 0;
      CONTINUE WHEN coalesce(v_until, 0) = 0;
      due := least(due, v_until);
    END IF;
    UPDATE {schema}.activities AS a SET
      lease = p_lease, lease_until = v_now + p_duration, owner = p_owner, node = p_node,
      attempt = a.attempt + 1, session_term = coalesce((
        SELECT s.term FROM {schema}.sessions AS s
        WHERE s.ns = v_ns AND s.session = v_ready.session), 0)
    WHERE a.incarnation = v_ready.incarnation AND a.execution = v_ready.execution
      AND a.event = v_ready.event;
    due := least(due, v_now + p_duration);
    taken := taken + 1;
  END LOOP;
END $duroxide$;

-- The first row says the time, the others what was leased.
CREATE OR REPLACE FUNCTION {schema}.lease_activities(
  p_lease uuid, p_node text, p_run bigint, p_owner bigint, p_names text[], p_kinds text[],
  p_session_max bigint, p_idle bigint, p_max integer, p_duration bigint
) RETURNS TABLE (
  store_now bigint, due bigint, incarnation bigint, execution bigint, event bigint, ns text,
  id text, orchestration text, version text, name text, tag text, session text, encoding smallint,
  input bytea, headers bytea, attempt integer, visible_at bigint
) LANGUAGE plpgsql VOLATILE
SET plan_cache_mode = force_generic_plan SET join_collapse_limit = 1 SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off
SET enable_hashjoin = off SET enable_mergejoin = off
AS $duroxide$
#variable_conflict use_column
DECLARE
  v_due bigint;
  v_now bigint := {schema}.now_ms();
  v_left integer := p_max;
  v_took record;
BEGIN
  PERFORM set_config('synchronous_commit', 'off', true);
  IF p_max > 0 AND {schema}.is_joined(p_owner) AND NOT EXISTS (
    SELECT FROM (
      SELECT g.incarnation FROM {schema}.activities AS g WHERE g.lease = p_lease OFFSET 0) AS a
    JOIN {schema}.instances AS i ON i.incarnation = a.incarnation AND i.quarantine IS NULL) THEN
    PERFORM {schema}.lock_sessions_of(p_node);
    LOOP
      SELECT t.* INTO v_took
      FROM {schema}.take_activities(p_lease, p_node, p_run, p_owner, p_names, p_kinds,
                                    p_session_max, p_idle, v_left, p_duration) AS t;
      v_left := v_left - v_took.taken;
      v_due := CASE WHEN v_took.contended THEN 0 ELSE least(v_due, v_took.due) END;
      EXIT WHEN v_left <= 0 OR NOT v_took.again OR v_took.taken = 0;
    END LOOP;
    v_now := {schema}.now_ms();
    IF {schema}.raise_floors(v_now, v_left < p_max) THEN
      v_due := 0;
    END IF;
    IF v_left = p_max THEN
      PERFORM {schema}.nothing_changed();
    END IF;
  END IF;
  RETURN QUERY SELECT v_now, v_due, NULL::bigint, NULL::bigint, NULL::bigint, NULL::text,
    NULL::text, NULL::text, NULL::text, NULL::text, NULL::text, NULL::text, NULL::smallint,
    NULL::bytea, NULL::bytea, NULL::integer, NULL::bigint;
  RETURN QUERY
    SELECT v_now, v_due, a.incarnation, a.execution, a.event, a.ns, i.id, i.name, i.version,
           a.name, a.tag, a.session, a.encoding, a.input, a.headers, a.attempt, a.visible_at
    -- OFFSET 0 keeps the lookup by lease apart from the join, whose order the planner would prefer.
    FROM (SELECT g.* FROM {schema}.activities AS g WHERE g.lease = p_lease OFFSET 0) AS a
    JOIN {schema}.instances AS i ON i.incarnation = a.incarnation AND i.quarantine IS NULL
    ORDER BY a.visible_at, a.seq;
END $duroxide$;

-- Remove activities of an execution: these, or all. Gives the times at which there is something to
-- do for somebody: at once for who holds what is cancelled.
CREATE OR REPLACE FUNCTION {schema}.remove_activities(
  p_incarnation bigint, p_execution bigint, p_events bigint[], p_tell boolean, p_now bigint
) RETURNS bigint[] LANGUAGE plpgsql VOLATILE AS $duroxide$
DECLARE
  v_held boolean;
  v_ns text;
  v_sessions text[];
  v_times bigint[] := '{}';
BEGIN
  -- In their order, so that two who need the same ones do not wait for each other.
  PERFORM 1 FROM {schema}.activities AS a
  WHERE a.incarnation = p_incarnation AND a.execution = p_execution
    AND (p_events IS NULL OR a.event = ANY (p_events))
  ORDER BY a.event FOR UPDATE;
  WITH removed AS (
    DELETE FROM {schema}.activities AS a
    WHERE a.incarnation = p_incarnation AND a.execution = p_execution
      AND (p_events IS NULL OR a.event = ANY (p_events))
    RETURNING a.ns, a.session, a.lease)
  SELECT bool_or(r.lease IS NOT NULL), min(r.ns),
         array_agg(r.session) FILTER (WHERE r.session IS NOT NULL)
  INTO v_held, v_ns, v_sessions FROM removed AS r;
  IF v_sessions IS NOT NULL THEN
    v_times := {schema}.sessions_used(v_ns, v_sessions, p_now);
  END IF;
  RETURN CASE WHEN p_tell AND v_held THEN v_times || 0::bigint ELSE v_times END;
END $duroxide$;

-- fate: 0 applied, 1 gone, 2 lease lost.
CREATE OR REPLACE FUNCTION {schema}.complete_activity(
  p_incarnation bigint, p_execution bigint, p_event bigint, p_lease uuid, p_body bytea,
  OUT fate integer, OUT store_now bigint, OUT times bigint[]
) LANGUAGE plpgsql VOLATILE
SET plan_cache_mode = force_generic_plan SET join_collapse_limit = 1 SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off
SET enable_hashjoin = off SET enable_mergejoin = off
AS $duroxide$
#variable_conflict use_variable
DECLARE
  v_waits boolean;
  v_lease uuid;
BEGIN
  SELECT i.state = 0 AND i.execution = p_execution INTO v_waits FROM {schema}.instances AS i
  WHERE i.incarnation = p_incarnation FOR UPDATE;
  SELECT a.lease INTO v_lease FROM {schema}.activities AS a
  WHERE a.incarnation = p_incarnation AND a.execution = p_execution AND a.event = p_event
  FOR UPDATE;
  IF NOT FOUND THEN
    fate := 1;
  ELSIF v_lease IS DISTINCT FROM p_lease THEN
    fate := 2;
  ELSE
    store_now := {schema}.now_ms();
    times := {schema}.remove_activities(p_incarnation, p_execution, ARRAY[p_event], false,
                                        store_now);
    fate := 1;
    IF v_waits THEN
      fate := 0;
      times := times || {schema}.put(p_incarnation, p_execution, store_now, 1, p_event, NULL, NULL,
                                     p_body);
    END IF;
  END IF;
  store_now := coalesce(store_now, {schema}.peek_ms());
END $duroxide$;
