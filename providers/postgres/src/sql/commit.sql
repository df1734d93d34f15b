-- A turn made durable, all or nothing. Here are the checks, in the order the contract gives them,
-- and the row of the instance; what ends do is in ends.sql.

-- Why the turn cannot be applied, as commit_turn answers it; 0: nothing. The rows of the activities
-- it completes are locked by this.
CREATE OR REPLACE FUNCTION {schema}.commit_refusal(
  p_row {schema}.instances, p_lease uuid, p_commit uuid, p_base uuid, p_execution bigint,
  p_expect_event bigint, p_done_incarnations bigint[], p_done_executions bigint[],
  p_done_events bigint[], p_done_leases uuid[], OUT refusal integer, OUT lost integer
) LANGUAGE plpgsql VOLATILE AS $duroxide$
#variable_conflict use_variable
DECLARE
  v_done record;
BEGIN
  refusal := CASE
    WHEN p_row.state <> 0 OR p_row.execution <> p_execution THEN 1
    WHEN p_row.last_commit IS DISTINCT FROM p_base OR p_row.next_event <> p_expect_event THEN 2
    WHEN p_row.lease IS DISTINCT FROM p_lease OR EXISTS (
      SELECT FROM {schema}.abandoned AS a
      WHERE a.incarnation = p_row.incarnation AND a.commit_id = p_commit) THEN 3
    ELSE 0 END;
  IF refusal <> 0 OR p_done_events IS NULL THEN
    RETURN;
  END IF;
  -- In their order, so that two who need the same ones do not wait for each other.
  FOR v_done IN
    SELECT d.* FROM unnest(p_done_incarnations, p_done_executions, p_done_events, p_done_leases)
      WITH ORDINALITY AS d (incarnation, execution, event, lease, nth)
    ORDER BY d.incarnation, d.execution, d.event
  LOOP
    PERFORM 1 FROM {schema}.activities AS a
    WHERE a.incarnation = v_done.incarnation AND a.execution = v_done.execution
      AND a.event = v_done.event AND a.lease = v_done.lease
    FOR UPDATE;
    IF NOT FOUND THEN
      refusal := 4;
      lost := least(lost, v_done.nth);
    END IF;
  END LOOP;
END $duroxide$;

-- Append the events, remove what was consumed, completed or cancelled, and mark what was only
-- looked at.
CREATE OR REPLACE FUNCTION {schema}.take_in(
  p_row {schema}.instances, p_events bytea, p_event_count bigint, p_consumed bigint[],
  p_seen bigint[], p_done bigint[], p_cancelled_activities bigint[], p_cancelled_timers bigint[],
  p_now bigint
) RETURNS bigint[] LANGUAGE plpgsql VOLATILE AS $duroxide$
DECLARE
  v_times bigint[] := '{}';
BEGIN
  IF p_events IS NOT NULL THEN
    INSERT INTO {schema}.events (incarnation, execution, first_event, last_event, bytes)
    VALUES (p_row.incarnation, p_row.execution, p_row.next_event,
            p_row.next_event + p_event_count - 1, p_events);
  END IF;
  IF p_done IS NOT NULL THEN
    v_times := {schema}.remove_activities(p_row.incarnation, p_row.execution, p_done, false, p_now);
  END IF;
  IF p_consumed IS NOT NULL THEN
    DELETE FROM {schema}.inbox AS m
    WHERE m.id = ANY (p_consumed) AND m.incarnation = p_row.incarnation;
  END IF;
  IF p_seen IS NOT NULL THEN
    UPDATE {schema}.inbox AS m SET seen = true
    WHERE m.id = ANY (p_seen) AND m.incarnation = p_row.incarnation;
  END IF;
  IF p_cancelled_activities IS NOT NULL THEN
    v_times := v_times || {schema}.remove_activities(p_row.incarnation, p_row.execution,
                                                     p_cancelled_activities, true, p_now);
  END IF;
  IF p_cancelled_timers IS NOT NULL THEN
    DELETE FROM {schema}.inbox AS m
    WHERE m.incarnation = p_row.incarnation AND m.execution = p_row.execution AND m.kind = 2
      AND m.source = ANY (p_cancelled_timers);
  END IF;
  RETURN v_times;
END $duroxide$;

-- Create children and detached orchestrations. An id in use becomes a refusal in the parent's
-- inbox.
CREATE OR REPLACE FUNCTION {schema}.start_all(
  p_row {schema}.instances, p_events bigint[], p_ids text[], p_names text[], p_versions text[],
  p_bodies bytea[], p_refusals bytea[], p_now bigint, OUT times bigint[], OUT touched text[]
) LANGUAGE plpgsql VOLATILE AS $duroxide$
#variable_conflict use_variable
DECLARE
  v_numbers bigint[];
  v_start integer;
  v_parent {schema}.instances;
  v_refused integer[] := '{}';
BEGIN
  times := '{}';
  touched := '{}';
  -- Numbered in the order they were started, so that a tree lists them so.
  v_numbers := ARRAY(
    SELECT nextval('{schema_text}.ids') FROM generate_series(1, cardinality(p_ids)));
  -- Made in the order of their ids, so that two who make the same ones do not wait for each other.
  FOR v_start IN
    SELECT s.nth FROM unnest(p_ids) WITH ORDINALITY AS s (id, nth) ORDER BY s.id, s.nth
  LOOP
    v_parent := NULL;
    IF p_refusals[v_start] IS NOT NULL THEN
      v_parent := p_row;
    END IF;
    IF {schema}.create_instance(v_numbers[v_start], p_row.ns, p_ids[v_start], p_names[v_start],
                                p_versions[v_start], p_bodies[v_start], v_parent,
                                p_events[v_start], p_now) THEN
      touched := touched || p_ids[v_start];
      times := ARRAY[p_now];
    ELSIF p_refusals[v_start] IS NOT NULL THEN
      v_refused := v_refused || v_start;
    END IF;
  END LOOP;
  INSERT INTO {schema}.inbox (id, incarnation, execution, visible_at, kind, source, body)
  SELECT nextval('{schema_text}.ids'), p_row.incarnation, p_row.execution, p_now, 3,
         p_events[r.nth], p_refusals[r.nth]
  FROM (SELECT u.nth FROM unnest(v_refused) AS u (nth) ORDER BY u.nth) AS r;
END $duroxide$;

-- Tell children what was asked of them. What is for no child of this execution is dropped.
CREATE OR REPLACE FUNCTION {schema}.send_all(
  p_row {schema}.instances, p_to text[], p_events bigint[], p_kinds integer[], p_stops bytea[],
  p_now bigint, OUT times bigint[], OUT touched text[], OUT dropped bigint
) LANGUAGE plpgsql VOLATILE AS $duroxide$
#variable_conflict use_variable
DECLARE
  v_send record;
  v_told record;
BEGIN
  times := '{}';
  touched := '{}';
  dropped := 0;
  FOR v_send IN
    SELECT u.kind, i.incarnation FROM unnest(p_to, p_events, p_kinds) WITH ORDINALITY
      AS u (id, event, kind, nth)
    LEFT JOIN {schema}.instances AS i
      ON i.ns = p_row.ns AND i.id = u.id AND i.state = 0 AND i.parent = p_row.incarnation
         AND i.parent_execution = p_row.execution AND i.parent_event = u.event
    ORDER BY u.nth
  LOOP
    IF v_send.incarnation IS NULL THEN
      dropped := dropped + 1;
    ELSE
      SELECT s.times, s.touched, s.dropped INTO v_told
      FROM {schema}.stop_one(v_send.incarnation, v_send.kind, '"parent terminated"',
                             p_stops[v_send.kind - 4], p_stops, p_now) AS s;
      times := times || v_told.times;
      touched := touched || v_told.touched;
      dropped := dropped + v_told.dropped;
    END IF;
  END LOOP;
END $duroxide$;

-- Key-value pairs, in order. p_values has null for a key to remove, p_keys null for all of them.
CREATE OR REPLACE FUNCTION {schema}.change_kv(
  p_incarnation bigint, p_keys text[], p_values text[], p_times bigint[]
) RETURNS void LANGUAGE plpgsql VOLATILE AS $duroxide$
BEGIN
  FOR v_change IN 1 .. cardinality(p_keys) LOOP
    IF p_keys[v_change] IS NULL THEN
      DELETE FROM {schema}.kv AS k WHERE k.incarnation = p_incarnation;
    ELSIF p_values[v_change] IS NULL THEN
      DELETE FROM {schema}.kv AS k
      WHERE k.incarnation = p_incarnation AND k.key = p_keys[v_change];
    ELSE
      INSERT INTO {schema}.kv AS k (incarnation, key, value, updated_at)
      VALUES (p_incarnation, p_keys[v_change], p_values[v_change], p_times[v_change])
      ON CONFLICT (incarnation, key) DO UPDATE
      SET value = excluded.value, updated_at = excluded.updated_at;
    END IF;
  END LOOP;
END $duroxide$;

-- Which of the new activities the committing node takes at once: oldest first, and never when older
-- work of the same kind waits. p_kinds is null for a node that takes every tag.
CREATE OR REPLACE FUNCTION {schema}.claimed(
  p_ns text, p_names text[], p_tags text[], p_sessions text[], p_max integer, p_own_names text[],
  p_own_kinds text[], p_node text, p_run bigint, p_owner bigint, p_session_max bigint,
  p_idle bigint, p_duration bigint, p_now bigint,
  OUT claimed boolean[], OUT times bigint[]
) LANGUAGE plpgsql VOLATILE AS $duroxide$
#variable_conflict use_variable
DECLARE
  v_kind text;
  v_left integer := p_max;
  v_locked boolean := false;
  v_blocked text[] := '{}';
  v_free text[] := '{}';
  v_until bigint;
  v_waits boolean;
BEGIN
  times := '{}';
  claimed := array_fill(false, ARRAY[cardinality(p_names)]);
  FOR v_nth IN 1 .. cardinality(p_names) LOOP
    EXIT WHEN v_left <= 0;
    v_kind := p_names[v_nth] || coalesce(E'\U0010FFFE2' || p_tags[v_nth], '');
    CONTINUE WHEN NOT coalesce(v_kind = ANY (p_own_kinds), p_names[v_nth] = ANY (p_own_names));
    IF p_sessions[v_nth] IS NULL THEN
      v_waits := v_kind = ANY (v_blocked) OR v_kind <> ALL (v_free) AND EXISTS (
        SELECT FROM {schema}.activities AS a
        WHERE a.kind = v_kind AND a.session IS NULL AND a.lease_until = 0 AND a.visible_at <= p_now
          AND a.visible_at >= (SELECT f.last_value FROM {schema}.floor_waiting AS f));
      IF v_waits THEN
        v_blocked := v_blocked || v_kind;
        CONTINUE;
      END IF;
      v_free := v_free || v_kind;
    ELSE
      CONTINUE WHEN EXISTS (
        SELECT FROM {schema}.activities AS a
        WHERE a.session = p_sessions[v_nth] AND a.kind = v_kind AND a.lease_until = 0
          AND a.visible_at <= p_now);
      IF NOT v_locked THEN
        PERFORM {schema}.lock_sessions_of(p_node);
        v_locked := true;
      END IF;
      v_until := {schema}.claim_session(p_ns, p_sessions[v_nth], p_node, p_run, p_owner,
                                        p_session_max, p_idle, p_now + p_duration, p_now);
      CONTINUE WHEN coalesce(v_until, 0) = 0;
      times := times || v_until;
    END IF;
    claimed[v_nth] := true;
    v_left := v_left - 1;
  END LOOP;
END $duroxide$;

-- Queue activities, as far as they are not claimed at once.
CREATE OR REPLACE FUNCTION {schema}.schedule(
  p_row {schema}.instances, p_commit uuid, p_node text, p_owner bigint, p_run bigint,
  p_events bigint[], p_names text[], p_tags text[], p_sessions text[], p_encodings smallint[],
  p_inputs bytea[], p_headers bytea[], p_max integer, p_own_names text[], p_own_kinds text[],
  p_session_max bigint, p_idle bigint, p_duration bigint, p_now bigint,
  OUT claimed bigint[], OUT times bigint[]
) LANGUAGE plpgsql VOLATILE AS $duroxide$
#variable_conflict use_variable
DECLARE
  v_claimed boolean[];
  v_until bigint := p_now + p_duration;
BEGIN
  SELECT c.claimed, c.times INTO v_claimed, times
  FROM {schema}.claimed(p_row.ns, p_names, p_tags, p_sessions, p_max, p_own_names, p_own_kinds,
    p_node, p_run, p_owner, p_session_max, p_idle, p_duration, p_now) AS c;
  INSERT INTO {schema}.activities
    (incarnation, execution, event, ns, name, tag, session, encoding, input, headers, seq, attempt,
     visible_at, lease, lease_until, owner, node, session_term)
  SELECT p_row.incarnation, p_row.execution, n.event, p_row.ns, n.name, n.tag, n.session,
         n.encoding, n.input, n.headers, nextval('{schema_text}.ids'), n.mine::integer, p_now,
         CASE WHEN n.mine THEN p_commit END, CASE WHEN n.mine THEN v_until ELSE 0 END,
         CASE WHEN n.mine THEN p_owner END, CASE WHEN n.mine THEN p_node END,
         CASE WHEN n.mine THEN coalesce((
           SELECT s.term FROM {schema}.sessions AS s
           WHERE s.ns = p_row.ns AND s.session = n.session), 0) ELSE 0 END
  FROM unnest(p_events, p_names, p_tags, p_sessions, p_encodings, p_inputs, p_headers, v_claimed)
    AS n (event, name, tag, session, encoding, input, headers, mine);
  claimed := ARRAY(SELECT n.event FROM unnest(p_events, v_claimed) WITH ORDINALITY
                     AS n (event, mine, nth) WHERE n.mine ORDER BY n.nth);
  IF cardinality(claimed) > 0 THEN
    times := times || v_until;
  END IF;
  IF cardinality(claimed) < cardinality(p_events) THEN
    times := times || 0::bigint;
  END IF;
END $duroxide$;

-- Set timers, and give when each is due.
CREATE OR REPLACE FUNCTION {schema}.set_timers(
  p_row {schema}.instances, p_events bigint[], p_delays bigint[], p_bodies bytea[], p_now bigint
) RETURNS bigint[] LANGUAGE plpgsql VOLATILE AS $duroxide$
DECLARE
  c_far CONSTANT bigint := 1::bigint << 60;
BEGIN
  INSERT INTO {schema}.inbox (id, incarnation, execution, visible_at, kind, source, body)
  SELECT nextval('{schema_text}.ids'), p_row.incarnation, p_row.execution,
         least(p_now + t.delay, c_far), 2, t.event, t.body
  FROM unnest(p_events, p_delays, p_bodies) AS t (event, delay, body);
  RETURN ARRAY(SELECT least(p_now + t.delay, c_far)
               FROM unnest(p_delays) WITH ORDINALITY AS t (delay, nth) ORDER BY t.nth);
END $duroxide$;

-- The answer that was lost: the same claims. What has arrived by now is given once more.
CREATE OR REPLACE FUNCTION {schema}.applied_before(
  p_row {schema}.instances, p_lease uuid, p_commit uuid, p_execution bigint, p_timers bigint[],
  OUT held boolean, OUT store_now bigint, OUT claimed_events bigint[],
  OUT claimed_attempts integer[], OUT timer_events bigint[], OUT timer_times bigint[]
) LANGUAGE plpgsql VOLATILE AS $duroxide$
#variable_conflict use_variable
BEGIN
  held := p_row.state = 0 AND p_row.lease IS NOT DISTINCT FROM p_lease;
  store_now := {schema}.now_ms();
  SELECT array_agg(m.source ORDER BY t.nth), array_agg(m.visible_at ORDER BY t.nth)
  INTO timer_events, timer_times
  FROM unnest(p_timers) WITH ORDINALITY AS t (event, nth)
  JOIN {schema}.inbox AS m ON m.incarnation = p_row.incarnation AND m.execution = p_execution
    AND m.kind = 2 AND m.source = t.event;
  SELECT array_agg(a.event ORDER BY a.event), array_agg(a.attempt ORDER BY a.event)
  INTO claimed_events, claimed_attempts
  FROM {schema}.activities AS a
  WHERE a.incarnation = p_row.incarnation AND a.execution = p_execution AND a.lease = p_commit;
  -- What has arrived counts as told only once it is asked for again: this answer may be that of a
  -- late duplicate, and reach nobody.
END $duroxide$;
