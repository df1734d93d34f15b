-- commit_turn itself: the request spread out into its parts, null for those a turn has not. What
-- the parts do is in commit.sql and ends.sql.

-- Bring the row of the instance to what the turn came to. Gives when it is ready next.
CREATE OR REPLACE FUNCTION {schema}.settle(
  p_row {schema}.instances, p_commit uuid, p_turn bigint, p_split boolean, p_end integer,
  p_flags bigint, p_keep bigint, p_status boolean, p_news boolean, p_waiting text, p_now bigint
) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $duroxide$
DECLARE
  v_ended boolean := coalesce(p_end IN (1, 2, 3), false);
  v_ready_at bigint;
BEGIN
  IF p_split AND NOT v_ended THEN
    v_ready_at := p_now;
  ELSIF NOT v_ended THEN
    -- What is ready already goes to the back of the queue.
    SELECT m.visible_at INTO v_ready_at FROM {schema}.inbox AS m
    WHERE m.incarnation = p_row.incarnation AND NOT m.seen ORDER BY m.visible_at LIMIT 1;
    v_ready_at := CASE WHEN v_ready_at < p_now THEN p_now ELSE v_ready_at END;
  END IF;
  UPDATE {schema}.instances AS i SET
    version = p_row.version, flags = p_flags, execution = p_row.execution,
    next_event = p_row.next_event, turn = p_turn, last_commit = p_commit,
    state = CASE WHEN v_ended THEN p_end ELSE 0 END,
    ready_at = v_ready_at, not_before = 0, attempt = 0,
    lease = CASE WHEN p_keep IS NULL THEN NULL ELSE i.lease END,
    lease_until = coalesce(p_keep, 0), kept = p_keep IS NOT NULL, offer = NULL,
    offered_at = p_now, offered_id = (SELECT s.last_value FROM {schema}.ids AS s),
    status_version = i.status_version + p_status::integer,
    revision = i.revision + p_news::integer, updated_at = p_now,
    ended_at = CASE WHEN v_ended THEN p_now END, waiting = p_waiting
  WHERE i.incarnation = p_row.incarnation;
  RETURN v_ready_at;
END $duroxide$;

-- outcome: 0 applied, 1 gone, 2 conflict, 3 lease lost, 4 the completed activity number `lost` is
-- not held. times: when there is something to do for somebody. arrivals only while it is held.
CREATE OR REPLACE FUNCTION {schema}.commit_turn(
  -- Who commits what upon what.
  p_incarnation bigint, p_lease uuid, p_node text, p_run bigint, p_owner bigint, p_commit uuid,
  p_base uuid, p_execution bigint, p_expect_event bigint, p_turn bigint, p_version text,
  p_flags bigint, p_keep_ms bigint, p_split boolean, p_waiting text,
  -- Events, all in one; and what is taken in.
  p_events bytea, p_event_count bigint, p_consumed bigint[], p_seen bigint[],
  p_done_incarnations bigint[], p_done_executions bigint[], p_done_events bigint[],
  p_done_leases uuid[], p_cancelled_activities bigint[], p_cancelled_timers bigint[],
  -- Activities, and which of them to claim at most.
  p_act_events bigint[], p_act_names text[], p_act_tags text[], p_act_sessions text[],
  p_act_encodings smallint[], p_act_inputs bytea[], p_act_headers bytea[],
  p_claim_max integer, p_claim_names text[], p_claim_kinds text[], p_claim_sessions bigint,
  p_claim_idle bigint, p_claim_ms bigint,
  -- Timers, children, messages to children.
  p_timer_events bigint[], p_timer_delays bigint[], p_timer_bodies bytea[],
  p_start_events bigint[], p_start_ids text[], p_start_names text[], p_start_versions text[],
  p_start_bodies bytea[], p_start_refusals bytea[],
  p_send_to text[], p_send_events bigint[], p_send_kinds integer[], p_stops bytea[],
  -- Status, key-value pairs, the end.
  p_status_set boolean, p_status text, p_kv_keys text[], p_kv_values text[], p_kv_times bigint[],
  p_end integer, p_outcome bytea, p_result bytea, p_next_version text, p_next_start bytea,
  OUT outcome integer, OUT lost integer, OUT held boolean, OUT store_now bigint, OUT ns text,
  OUT id text, OUT name text, OUT parent_id text, OUT parent_execution bigint,
  OUT parent_event bigint, OUT arrival_ids bigint[], OUT arrival_times bigint[],
  OUT arrival_bodies bytea[], OUT more_arrivals boolean, OUT claimed_events bigint[],
  OUT claimed_attempts integer[], OUT timer_events bigint[], OUT timer_times bigint[],
  OUT times bigint[], OUT touched text[], OUT dropped bigint
) LANGUAGE plpgsql VOLATILE
SET plan_cache_mode = force_generic_plan SET join_collapse_limit = 1 SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off
SET enable_hashjoin = off SET enable_mergejoin = off
AS $duroxide$
#variable_conflict use_variable
DECLARE
  v_row {schema}.instances;
  v_keep bigint;
  v_ready_at bigint;
BEGIN
  times := '{}';
  touched := '{}';
  dropped := 0;
  held := false;
  -- Rows of instances in the order of their numbers: a parent's is lower, a child's higher.
  IF p_end IN (1, 2, 3) THEN
    PERFORM 1 FROM {schema}.instances AS p WHERE p.incarnation = (
      SELECT i.parent FROM {schema}.instances AS i WHERE i.incarnation = p_incarnation) FOR UPDATE;
  END IF;
  SELECT i.* INTO v_row FROM {schema}.instances AS i WHERE i.incarnation = p_incarnation FOR UPDATE;
  IF NOT FOUND THEN
    outcome := 1;
    store_now := {schema}.peek_ms();
    RETURN;
  END IF;
  ns := v_row.ns;
  id := v_row.id;
  name := v_row.name;
  parent_id := v_row.parent_id;
  parent_execution := v_row.parent_execution;
  parent_event := v_row.parent_event;
  IF v_row.last_commit = p_commit THEN
    SELECT a.* INTO held, store_now, claimed_events, claimed_attempts, timer_events, timer_times
    FROM {schema}.applied_before(v_row, p_lease, p_commit, p_execution, p_timer_events) AS a;
    outcome := 0;
  ELSE
    SELECT r.refusal, r.lost INTO outcome, lost
    FROM {schema}.commit_refusal(v_row, p_lease, p_commit, p_base, p_execution, p_expect_event,
      p_done_incarnations, p_done_executions, p_done_events, p_done_leases) AS r;
    IF outcome <> 0 THEN
      store_now := {schema}.peek_ms();
      RETURN;
    END IF;
    IF p_end IS NOT NULL OR p_send_to IS NOT NULL THEN
      PERFORM {schema}.lock_children(v_row, CASE WHEN p_end IS NULL THEN p_send_to END);
    END IF;
    store_now := {schema}.now_ms();

    times := {schema}.take_in(v_row, p_events, p_event_count, p_consumed, p_seen, p_done_events,
                              p_cancelled_activities, p_cancelled_timers, store_now);
    IF p_start_ids IS NOT NULL THEN
      SELECT times || s.times, s.touched INTO times, touched
      FROM {schema}.start_all(v_row, p_start_events, p_start_ids, p_start_names, p_start_versions,
                              p_start_bodies, p_start_refusals, store_now) AS s;
    END IF;
    IF p_send_to IS NOT NULL THEN
      SELECT times || s.times, touched || s.touched, s.dropped INTO times, touched, dropped
      FROM {schema}.send_all(v_row, p_send_to, p_send_events, p_send_kinds, p_stops,
                             store_now) AS s;
    END IF;
    IF p_status_set THEN
      INSERT INTO {schema}.statuses AS s (incarnation, status) VALUES (p_incarnation, p_status)
      ON CONFLICT (incarnation) DO UPDATE SET status = excluded.status;
    END IF;
    IF p_kv_times IS NOT NULL THEN
      PERFORM {schema}.change_kv(p_incarnation, p_kv_keys, p_kv_values, p_kv_times);
    END IF;

    -- Schedule, or end.
    v_row.next_event := p_expect_event + p_event_count;
    v_row.version := coalesce(p_version, v_row.version);
    IF p_end IS NULL AND p_act_events IS NOT NULL THEN
      SELECT s.claimed, times || s.times INTO claimed_events, times FROM {schema}.schedule(
        v_row, p_commit, p_node, p_owner, p_run, p_act_events, p_act_names, p_act_tags,
        p_act_sessions, p_act_encodings, p_act_inputs, p_act_headers, p_claim_max, p_claim_names,
        p_claim_kinds, p_claim_sessions, p_claim_idle, p_claim_ms, store_now) AS s;
      claimed_attempts := array_fill(1, ARRAY[cardinality(claimed_events)]);
    END IF;
    IF p_end IS NULL AND p_timer_events IS NOT NULL THEN
      timer_events := p_timer_events;
      timer_times := {schema}.set_timers(v_row, p_timer_events, p_timer_delays, p_timer_bodies,
                                         store_now);
    END IF;
    IF p_end IS NOT NULL THEN
      SELECT times || e.times, touched || e.touched, dropped + e.dropped
      INTO times, touched, dropped
      FROM {schema}.end_execution(v_row, p_end, p_send_to, p_stops, p_outcome, p_result,
                                  p_next_start, store_now) AS e;
    END IF;
    IF p_end = 4 THEN
      v_row.execution := v_row.execution + 1;
      v_row.next_event := 1;
      v_row.version := p_next_version;
    END IF;

    v_keep := CASE WHEN coalesce(p_end, 4) = 4 THEN store_now + p_keep_ms END;
    held := v_keep IS NOT NULL;
    v_ready_at := {schema}.settle(
      v_row, p_commit, CASE WHEN p_end = 4 THEN 0 ELSE p_turn END, p_split, p_end,
      CASE WHEN p_end = 4 THEN 0 ELSE p_flags END, v_keep, p_status_set,
      p_status_set OR p_end IS NOT NULL OR p_kv_times IS NOT NULL,
      CASE WHEN p_end IS NULL THEN p_waiting END, store_now);
    IF p_status_set OR p_end IS NOT NULL OR p_kv_times IS NOT NULL THEN
      touched := touched || v_row.id;
    END IF;
    IF NOT held THEN
      times := times || v_ready_at;
    ELSIF v_ready_at IS NOT NULL THEN
      -- The holder gets what is ready with the answer.
      times := times || greatest(v_keep, v_ready_at);
      IF v_ready_at > store_now THEN
        times := times || v_ready_at;
      END IF;
    END IF;
  END IF;
  IF held THEN
    SELECT a.ids, a.times, a.bodies, a.more
    INTO arrival_ids, arrival_times, arrival_bodies, more_arrivals
    FROM {schema}.arrivals(p_incarnation, v_row.next_event = 1, store_now) AS a;
  END IF;
END $duroxide$;
