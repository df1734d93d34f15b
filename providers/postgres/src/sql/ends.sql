-- How an execution ends: what is left of it, who is told, and what comes next. Whoever calls these
-- holds the rows of the instance, of its parent and of its children.

-- Ask one instance to stop: in its own way (p_kind 5), or without its code (6), quarantined or not.
-- p_stops are the two messages that parents send.
CREATE OR REPLACE FUNCTION {schema}.stop_one(
  p_incarnation bigint, p_kind integer, p_reason text, p_body bytea, p_stops bytea[], p_now bigint,
  OUT times bigint[], OUT touched text[], OUT dropped bigint
) LANGUAGE plpgsql VOLATILE AS $duroxide$
#variable_conflict use_variable
DECLARE
  v_row {schema}.instances;
BEGIN
  times := '{}';
  touched := '{}';
  dropped := 0;
  SELECT i.* INTO v_row FROM {schema}.instances AS i WHERE i.incarnation = p_incarnation;
  IF p_kind = 6 AND v_row.quarantine IS NOT NULL THEN
    SELECT t.times, t.touched, t.dropped INTO times, touched, dropped
    FROM {schema}.terminate(v_row, p_reason, p_stops, p_now) AS t;
  ELSIF v_row.incarnation IS NOT NULL THEN
    times := {schema}.put(p_incarnation, NULL, p_now, p_kind, NULL, NULL,
                          CASE WHEN p_kind = 6 THEN p_reason END, p_body);
  END IF;
END $duroxide$;

-- Lock the running children of this execution, all or those with these ids, in the order of their
-- numbers, and give them.
CREATE OR REPLACE FUNCTION {schema}.lock_children(p_row {schema}.instances, p_ids text[]) RETURNS bigint[]
LANGUAGE plpgsql VOLATILE AS $duroxide$
DECLARE
  v_children bigint[] := ARRAY(
    SELECT i.incarnation FROM {schema}.instances AS i
    WHERE i.root = p_row.root AND i.parent = p_row.incarnation
      AND i.parent_execution = p_row.execution AND i.state = 0
      AND (p_ids IS NULL OR i.id = ANY (p_ids)));
  v_child bigint;
  v_running bigint[] := '{}';
BEGIN
  FOR v_child IN SELECT c.incarnation FROM unnest(v_children) AS c (incarnation) ORDER BY 1 LOOP
    PERFORM 1 FROM {schema}.instances AS i
    WHERE i.incarnation = v_child AND i.state = 0 FOR UPDATE;
    IF FOUND THEN
      v_running := v_running || v_child;
    END IF;
  END LOOP;
  RETURN v_running;
END $duroxide$;

-- Children that the execution leaves behind are asked to stop, save those it has told something
-- itself in the same turn. Their answers will find it gone.
CREATE OR REPLACE FUNCTION {schema}.stop_children(
  p_row {schema}.instances, p_terminate boolean, p_told text[], p_stops bytea[], p_now bigint,
  OUT times bigint[], OUT touched text[], OUT dropped bigint
) LANGUAGE plpgsql VOLATILE AS $duroxide$
#variable_conflict use_variable
DECLARE
  v_child bigint;
  v_kind integer := CASE WHEN p_terminate THEN 6 ELSE 5 END;
  v_told record;
BEGIN
  times := '{}';
  touched := '{}';
  dropped := 0;
  FOR v_child IN
    SELECT c.incarnation FROM unnest({schema}.lock_children(p_row, NULL)) AS c (incarnation)
  LOOP
    CONTINUE WHEN (SELECT i.id FROM {schema}.instances AS i
                   WHERE i.incarnation = v_child) = ANY (p_told);
    SELECT s.times, s.touched, s.dropped INTO v_told
    FROM {schema}.stop_one(v_child, v_kind, '"parent terminated"', p_stops[v_kind - 4], p_stops,
                           p_now) AS s;
    times := times || v_told.times;
    touched := touched || v_told.touched;
    dropped := dropped + v_told.dropped;
  END LOOP;
END $duroxide$;

-- The parent gets the outcome if it still runs the execution that waits for it.
CREATE OR REPLACE FUNCTION {schema}.tell_parent(
  p_row {schema}.instances, p_result bytea, p_now bigint, OUT times bigint[], OUT dropped bigint
) LANGUAGE plpgsql VOLATILE AS $duroxide$
#variable_conflict use_variable
BEGIN
  times := '{}';
  dropped := 0;
  IF p_row.parent IS NULL THEN
    RETURN;
  END IF;
  IF EXISTS (SELECT FROM {schema}.instances AS i WHERE i.incarnation = p_row.parent
               AND i.state = 0 AND i.execution = p_row.parent_execution) THEN
    times := {schema}.put(p_row.parent, p_row.parent_execution, p_now, 3, p_row.parent_event, NULL,
      NULL, convert_to('{"ChildDone":{"source":' || p_row.parent_event || ',"outcome":', 'UTF8')
            || p_result || convert_to('}}', 'UTF8'));
  ELSE
    dropped := 1;
  END IF;
END $duroxide$;

-- Close the execution of this row: keep its outcome, remove what was bound to it, then tell the
-- parent. The row is the caller's. p_state: 1 completed, 2 failed, 3 terminated, 4 continued as
-- new.
CREATE OR REPLACE FUNCTION {schema}.close(
  p_row {schema}.instances, p_state integer, p_outcome bytea, p_result bytea, p_now bigint,
  OUT times bigint[], OUT dropped bigint
) LANGUAGE plpgsql VOLATILE AS $duroxide$
#variable_conflict use_variable
BEGIN
  UPDATE {schema}.executions AS e SET
    state = p_state, outcome = p_outcome, ended_at = p_now, events = p_row.next_event - 1
  WHERE e.incarnation = p_row.incarnation AND e.execution = p_row.execution;
  times := {schema}.remove_activities(p_row.incarnation, p_row.execution, NULL, true, p_now);
  dropped := 0;
  DELETE FROM {schema}.kv_base AS b WHERE b.incarnation = p_row.incarnation;
  IF p_state = 4 THEN
    DELETE FROM {schema}.inbox AS m
    WHERE m.incarnation = p_row.incarnation AND NOT m.seen AND m.execution = p_row.execution;
  ELSE
    DELETE FROM {schema}.inbox AS m WHERE m.incarnation = p_row.incarnation AND NOT m.seen;
    DELETE FROM {schema}.inbox AS m WHERE m.incarnation = p_row.incarnation AND m.seen;
    SELECT times || t.times, t.dropped INTO times, dropped
    FROM {schema}.tell_parent(p_row, p_result, p_now) AS t;
  END IF;
END $duroxide$;

-- Begin the next execution: mail, status and key-value pairs go on; timers and completions of the
-- one before do not.
CREATE OR REPLACE FUNCTION {schema}.begin_next(p_row {schema}.instances, p_start bytea, p_now bigint)
RETURNS void LANGUAGE plpgsql VOLATILE AS $duroxide$
BEGIN
  UPDATE {schema}.statuses AS s SET base = s.status WHERE s.incarnation = p_row.incarnation;
  INSERT INTO {schema}.kv_base (incarnation, key, value, updated_at)
  SELECT k.incarnation, k.key, k.value, k.updated_at FROM {schema}.kv AS k
  WHERE k.incarnation = p_row.incarnation;
  INSERT INTO {schema}.executions (incarnation, execution, started_at)
  VALUES (p_row.incarnation, p_row.execution + 1, p_now);
  INSERT INTO {schema}.inbox (id, incarnation, execution, visible_at, kind, body)
  VALUES (nextval('{schema_text}.ids'), p_row.incarnation, p_row.execution + 1, p_now, 0, p_start);
END $duroxide$;

-- End the execution of this row: its children, what was bound to it, and what comes next.
CREATE OR REPLACE FUNCTION {schema}.end_execution(
  p_row {schema}.instances, p_state integer, p_told text[], p_stops bytea[], p_outcome bytea,
  p_result bytea, p_next_start bytea, p_now bigint,
  OUT times bigint[], OUT touched text[], OUT dropped bigint
) LANGUAGE plpgsql VOLATILE AS $duroxide$
#variable_conflict use_variable
BEGIN
  SELECT s.times, s.touched, s.dropped INTO times, touched, dropped
  FROM {schema}.stop_children(p_row, p_state = 3, p_told, p_stops, p_now) AS s;
  SELECT times || c.times, dropped + c.dropped INTO times, dropped
  FROM {schema}.close(p_row, p_state, p_outcome, p_result, p_now) AS c;
  IF p_state = 4 THEN
    PERFORM {schema}.begin_next(p_row, p_next_start, p_now);
  END IF;
END $duroxide$;

-- End a quarantined instance: its last event, its children, its parent. p_reason is JSON.
CREATE OR REPLACE FUNCTION {schema}.terminate(
  p_row {schema}.instances, p_reason text, p_stops bytea[], p_now bigint,
  OUT times bigint[], OUT touched text[], OUT dropped bigint
) LANGUAGE plpgsql VOLATILE AS $duroxide$
#variable_conflict use_variable
BEGIN
  INSERT INTO {schema}.events (incarnation, execution, first_event, last_event, bytes)
  VALUES (p_row.incarnation, p_row.execution, p_row.next_event, p_row.next_event, convert_to(
    '{"id":' || p_row.next_event || ',"turn":' || p_row.turn + 1 || ',"at":' || p_now
    || ',"kind":{"OrchestrationTerminated":{"reason":' || p_reason || '}}}' || chr(10), 'UTF8'));
  p_row.next_event := p_row.next_event + 1;
  SELECT e.times, e.touched || p_row.id, e.dropped INTO times, touched, dropped
  FROM {schema}.end_execution(
    p_row, 3, NULL, p_stops, convert_to('{"Terminated":{"reason":' || p_reason || '}}', 'UTF8'),
    convert_to('{"Err":{"kind":"Terminated","message":' || p_reason || '}}', 'UTF8'), NULL,
    p_now) AS e;
  UPDATE {schema}.instances AS i SET
    next_event = p_row.next_event, turn = i.turn + 1, state = 3, ended_at = p_now,
    updated_at = p_now, ready_at = NULL, lease = NULL, offer = NULL, revision = i.revision + 1,
    waiting = NULL
  WHERE i.incarnation = p_row.incarnation;
END $duroxide$;

-- Set an instance aside, since something of it cannot be decoded. Whoever holds it holds it no
-- longer. Not ended; only terminating it works, and a termination that waits is carried out now.
CREATE OR REPLACE FUNCTION {schema}.quarantine(
  p_incarnation bigint, p_why text, p_stops bytea[],
  OUT quarantined boolean, OUT ns text, OUT store_now bigint, OUT times bigint[],
  OUT touched text[], OUT dropped bigint
) LANGUAGE plpgsql VOLATILE
SET plan_cache_mode = force_generic_plan SET join_collapse_limit = 1 SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off
SET enable_hashjoin = off SET enable_mergejoin = off
AS $duroxide$
#variable_conflict use_variable
DECLARE
  c_far CONSTANT bigint := 1::bigint << 60;
  v_row {schema}.instances;
  v_reason text;
BEGIN
  times := '{}';
  touched := '{}';
  dropped := 0;
  PERFORM 1 FROM {schema}.instances AS p WHERE p.incarnation = (
    SELECT i.parent FROM {schema}.instances AS i WHERE i.incarnation = p_incarnation) FOR UPDATE;
  SELECT i.* INTO v_row FROM {schema}.instances AS i WHERE i.incarnation = p_incarnation FOR UPDATE;
  store_now := {schema}.now_ms();
  quarantined := coalesce(v_row.state = 0, false) AND v_row.quarantine IS NULL;
  ns := v_row.ns;
  IF NOT quarantined THEN
    RETURN;
  END IF;
  UPDATE {schema}.instances AS i SET
    quarantine = p_why, ready_at = NULL, lease = NULL, offer = NULL, revision = i.revision + 1,
    updated_at = store_now
  WHERE i.incarnation = p_incarnation;
  -- Its queued activities are out of everyone's way too.
  UPDATE {schema}.activities AS a SET visible_at = c_far
  WHERE a.incarnation = p_incarnation AND a.lease IS NULL;
  touched := ARRAY[v_row.id];
  SELECT m.name INTO v_reason FROM {schema}.inbox AS m
  WHERE m.incarnation = p_incarnation AND NOT m.seen AND m.kind = 6
  ORDER BY m.visible_at, m.id LIMIT 1;
  IF v_reason IS NOT NULL THEN
    SELECT t.times, touched || t.touched, t.dropped INTO times, touched, dropped
    FROM {schema}.terminate(v_row, v_reason, p_stops, store_now) AS t;
  END IF;
END $duroxide$;
