-- Prolonging leases, handing them back, and giving up commits. Touches only what is named. Rows in
-- their order: instances before activities, the lower number first.

-- states, one for each in order: 0 held, 1 lost, 2 a cancel was asked for, 3 held and there is
-- something to do. An instance is named without execution and event.
CREATE OR REPLACE FUNCTION {schema}.renew(
  p_incarnations bigint[], p_executions bigint[], p_events bigint[], p_leases uuid[],
  p_owner bigint, p_duration bigint, OUT states integer[], OUT store_now bigint
) LANGUAGE plpgsql VOLATILE
SET plan_cache_mode = force_generic_plan SET join_collapse_limit = 1 SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off
SET enable_hashjoin = off SET enable_mergejoin = off
AS $duroxide$
#variable_conflict use_variable
DECLARE
  v_held record;
  v_row record;
  v_until bigint;
  v_ns text[] := '{}';
  v_sessions text[] := '{}';
BEGIN
  PERFORM set_config('synchronous_commit', 'off', true);
  states := array_fill(1, ARRAY[cardinality(p_leases)]);
  FOR v_held IN
    SELECT h.* FROM unnest(p_incarnations, p_executions, p_events, p_leases) WITH ORDINALITY
      AS h (incarnation, execution, event, lease, nth)
    ORDER BY h.event IS NOT NULL, h.incarnation, h.execution, h.event
  LOOP
    IF v_held.event IS NULL THEN
      PERFORM 1 FROM {schema}.instances AS i
      WHERE i.incarnation = v_held.incarnation AND i.lease = v_held.lease FOR UPDATE;
      IF FOUND THEN
        -- After the lock: who held it may have prolonged the lease further.
        store_now := {schema}.now_ms();
        -- The holder may not have got the answer that gave it its news: it is given them again.
        UPDATE {schema}.instances AS i SET
          lease_until = store_now + p_duration, owner = p_owner, offered_at = 0, offered_id = 0
        WHERE i.incarnation = v_held.incarnation
        RETURNING CASE WHEN i.ready_at <= store_now THEN 3 ELSE 0 END INTO v_until;
        states[v_held.nth] := v_until;
      END IF;
      CONTINUE;
    END IF;
    SELECT a.lease, a.ns, a.session INTO v_row FROM {schema}.activities AS a
    WHERE a.incarnation = v_held.incarnation AND a.execution = v_held.execution
      AND a.event = v_held.event
    FOR UPDATE;
    IF NOT FOUND THEN
      -- Removed: cancelled, or with its instance. (Or done by whoever took it over, to whom nothing
      -- is lost by stopping.)
      states[v_held.nth] := 2;
    ELSIF v_row.lease = v_held.lease THEN
      states[v_held.nth] := 0;
      store_now := {schema}.now_ms();
      v_until := store_now + p_duration;
      UPDATE {schema}.activities AS a SET lease_until = v_until, owner = p_owner
      WHERE a.incarnation = v_held.incarnation AND a.execution = v_held.execution
        AND a.event = v_held.event;
      IF v_row.session IS NOT NULL THEN
        v_ns := v_ns || v_row.ns;
        v_sessions := v_sessions || v_row.session;
      END IF;
    END IF;
  END LOOP;
  -- Their sessions are prolonged with them.
  FOR v_row IN
    SELECT DISTINCT u.ns, u.session FROM unnest(v_ns, v_sessions) AS u (ns, session) ORDER BY 1, 2
  LOOP
    UPDATE {schema}.sessions AS s SET
      idle_until = greatest(s.idle_until, v_until, store_now + s.idle_ms)
    WHERE s.ns = v_row.ns AND s.session = v_row.session;
  END LOOP;
  store_now := coalesce(store_now, {schema}.peek_ms());
END $duroxide$;

-- An instance is nobody's any more. Gives when it is ready next.
CREATE OR REPLACE FUNCTION {schema}.free_instance(
  p_row {schema}.instances, p_refund boolean, p_delay bigint, p_now bigint
) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $duroxide$
DECLARE
  v_ready_at bigint := CASE WHEN p_row.ready_at IS NOT NULL
                            THEN greatest(p_row.ready_at, p_now + p_delay) END;
BEGIN
  UPDATE {schema}.instances AS i SET
    lease = NULL, lease_until = 0, kept = false, offer = NULL, not_before = p_now + p_delay,
    ready_at = v_ready_at, attempt = greatest(i.attempt - p_refund::integer, 0)
  WHERE i.incarnation = p_row.incarnation;
  RETURN v_ready_at;
END $duroxide$;

-- An activity goes back into the queue; without a delay, to its place. Gives its session, and the
-- time from which it can be taken.
CREATE OR REPLACE FUNCTION {schema}.free_activity(
  p_incarnation bigint, p_execution bigint, p_event bigint, p_lease uuid, p_refund boolean,
  p_delay bigint, p_now bigint, OUT ns text, OUT session text, OUT visible_at bigint
) LANGUAGE plpgsql VOLATILE AS $duroxide$
#variable_conflict use_variable
BEGIN
  UPDATE {schema}.activities AS a SET
    lease = NULL, lease_until = 0, owner = NULL,
    visible_at = CASE WHEN p_delay = 0 THEN a.visible_at
                      ELSE greatest(a.visible_at, p_now + p_delay) END,
    attempt = greatest(a.attempt - p_refund::integer, 0)
  WHERE a.incarnation = p_incarnation AND a.execution = p_execution AND a.event = p_event
    AND a.lease = p_lease
  RETURNING a.ns, a.session, a.visible_at INTO ns, session, visible_at;
  IF visible_at IS NOT NULL THEN
    PERFORM {schema}.lower_floor(visible_at);
  END IF;
END $duroxide$;

-- If the commit was applied, release the instance lease it kept; else see to it that it never is.
CREATE OR REPLACE FUNCTION {schema}.give_up(
  p_row {schema}.instances, p_commit uuid, p_refund boolean, p_delay bigint, p_now bigint
) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $duroxide$
BEGIN
  IF p_row.last_commit IS NOT DISTINCT FROM p_commit THEN
    IF p_row.kept AND p_row.lease IS NOT NULL THEN
      RETURN {schema}.free_instance(p_row, p_refund, p_delay, p_now);
    END IF;
    RETURN NULL;
  END IF;
  -- It can be applied only while the instance is where it is now.
  DELETE FROM {schema}.abandoned AS a WHERE (a.incarnation, a.commit_id) IN (
    SELECT o.incarnation, o.commit_id FROM {schema}.abandoned AS o
    WHERE NOT EXISTS (
      SELECT FROM {schema}.instances AS i
      WHERE i.incarnation = o.incarnation AND i.state = 0
        AND i.last_commit IS NOT DISTINCT FROM o.base)
    FOR UPDATE OF o SKIP LOCKED);
  INSERT INTO {schema}.abandoned (incarnation, commit_id, base)
  VALUES (p_row.incarnation, p_commit, p_row.last_commit) ON CONFLICT DO NOTHING;
  RETURN NULL;
END $duroxide$;

CREATE OR REPLACE FUNCTION {schema}.release(
  p_incarnations bigint[], p_executions bigint[], p_events bigint[], p_leases uuid[],
  p_commit_incarnation bigint, p_commit uuid, p_refund boolean, p_delay bigint,
  OUT store_now bigint, OUT times bigint[]
) LANGUAGE plpgsql VOLATILE
SET plan_cache_mode = force_generic_plan SET join_collapse_limit = 1 SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off
SET enable_hashjoin = off SET enable_mergejoin = off
AS $duroxide$
#variable_conflict use_variable
DECLARE
  v_held record;
  v_row {schema}.instances;
  v_freed record;
  v_used text[] := '{}';
  v_ns text[] := '{}';
BEGIN
  times := '{}';
  FOR v_held IN
    SELECT h.incarnation FROM unnest(p_incarnations, p_events) AS h (incarnation, event)
    WHERE h.event IS NULL
    UNION SELECT p_commit_incarnation ORDER BY 1
  LOOP
    PERFORM 1 FROM {schema}.instances AS i WHERE i.incarnation = v_held.incarnation FOR UPDATE;
  END LOOP;
  store_now := {schema}.now_ms();
  FOR v_held IN
    SELECT h.* FROM unnest(p_incarnations, p_leases, p_events) AS h (incarnation, lease, event)
    WHERE h.event IS NULL ORDER BY h.incarnation
  LOOP
    SELECT i.* INTO v_row FROM {schema}.instances AS i WHERE i.incarnation = v_held.incarnation;
    IF v_row.offer = v_held.lease THEN
      -- The news it was offered by that call did not reach it.
      UPDATE {schema}.instances AS i SET offer = NULL, offered_at = 0, offered_id = 0
      WHERE i.incarnation = v_held.incarnation;
      times := times || 0::bigint;
    END IF;
    IF v_row.lease = v_held.lease THEN
      times := times || {schema}.free_instance(v_row, p_refund, p_delay, store_now);
    END IF;
  END LOOP;
  IF p_commit IS NOT NULL THEN
    SELECT i.* INTO v_row FROM {schema}.instances AS i WHERE i.incarnation = p_commit_incarnation;
    IF FOUND THEN
      times := times || {schema}.give_up(v_row, p_commit, p_refund, p_delay, store_now);
    END IF;
  END IF;
  -- Activities: those named, and those that the commit claimed.
  FOR v_held IN
    SELECT h.incarnation, h.execution, h.event, h.lease
    FROM unnest(p_incarnations, p_executions, p_events, p_leases)
      AS h (incarnation, execution, event, lease) WHERE h.event IS NOT NULL
    UNION
    SELECT a.incarnation, a.execution, a.event, a.lease FROM {schema}.activities AS a
    WHERE a.incarnation = p_commit_incarnation AND a.lease = p_commit
      AND v_row.last_commit = p_commit
    ORDER BY 1, 2, 3
  LOOP
    SELECT f.* INTO v_freed
    FROM {schema}.free_activity(v_held.incarnation, v_held.execution, v_held.event, v_held.lease,
                                p_refund, p_delay, store_now) AS f;
    times := times || v_freed.visible_at;
    IF v_freed.session IS NOT NULL THEN
      v_ns := v_ns || v_freed.ns;
      v_used := v_used || v_freed.session;
    END IF;
  END LOOP;
  FOR v_held IN
    SELECT u.ns, array_agg(u.session) AS sessions FROM unnest(v_ns, v_used) AS u (ns, session)
    GROUP BY u.ns ORDER BY u.ns
  LOOP
    times := times || {schema}.sessions_used(v_held.ns, v_held.sessions, store_now);
  END LOOP;
END $duroxide$;
