-- Handing out instances that have something to do. What it costs does not depend on how much waits.

-- Instances that are ready and that nobody holds, the longest ready first: of the first of all
-- there are, those for the node; if these are not enough, the first of each kind it can run.
CREATE OR REPLACE FUNCTION {schema}.free_instances(
  p_kinds text[], p_flags bigint, p_max integer, p_now bigint,
  OUT incarnations bigint[], OUT times bigint[]
) LANGUAGE plpgsql VOLATILE AS $duroxide$
#variable_conflict use_variable
DECLARE
  c_head CONSTANT integer := 100 + 2 * p_max;
  v_floor bigint := (SELECT f.last_value FROM {schema}.floor_free AS f);
  v_seen bigint;
BEGIN
  SELECT count(*),
         array_agg(h.incarnation ORDER BY h.ready_at, h.incarnation) FILTER (WHERE h.fits),
         array_agg(h.ready_at ORDER BY h.ready_at, h.incarnation) FILTER (WHERE h.fits)
  INTO v_seen, incarnations, times
  FROM (
    SELECT i.incarnation, i.ready_at,
           i.stop OR (i.kind = ANY (p_kinds) AND i.flags & ~p_flags = 0) AS fits
    FROM {schema}.instances AS i
    WHERE i.lease IS NULL AND i.ready_at >= v_floor AND i.ready_at <= p_now
    ORDER BY i.ready_at, i.incarnation LIMIT c_head) AS h;
  IF v_seen < c_head OR cardinality(incarnations) >= c_head / 2 THEN
    RETURN;
  END IF;
  SELECT array_agg(f.incarnation ORDER BY f.ready_at, f.incarnation),
         array_agg(f.ready_at ORDER BY f.ready_at, f.incarnation)
  INTO incarnations, times
  FROM (
    (SELECT s.incarnation, s.ready_at FROM {schema}.instances AS s
     WHERE num_nulls(s.lease) = 1 AND s.stop AND s.ready_at >= v_floor AND s.ready_at <= p_now
     ORDER BY s.ready_at, s.incarnation LIMIT c_head)
    UNION
    SELECT o.incarnation, o.ready_at
    FROM (SELECT DISTINCT u.kind FROM unnest(p_kinds) AS u (kind)) AS k
    CROSS JOIN LATERAL (
      SELECT i.incarnation, i.ready_at FROM {schema}.instances AS i
      WHERE i.kind = k.kind AND num_nulls(i.lease) = 1
        AND i.ready_at >= v_floor AND i.ready_at <= p_now AND i.flags & ~p_flags = 0
      ORDER BY i.ready_at, i.incarnation LIMIT c_head) AS o
    ORDER BY 2, 1 LIMIT c_head) AS f;
END $duroxide$;

-- What the node may be given: what nobody holds, what was held for too long, and what it holds
-- itself and has news for.
CREATE OR REPLACE FUNCTION {schema}.ready_instances(
  p_node text, p_run bigint, p_kinds text[], p_flags bigint, p_max integer, p_now bigint
) RETURNS bigint[] LANGUAGE plpgsql VOLATILE AS $duroxide$
DECLARE
  c_many CONSTANT integer := 1000;
  v_floor bigint := (SELECT f.last_value FROM {schema}.floor_expired AS f);
  v_free bigint[];
  v_times bigint[];
BEGIN
  SELECT f.incarnations, f.times INTO v_free, v_times
  FROM {schema}.free_instances(p_kinds, p_flags, p_max, p_now) AS f;
  RETURN ARRAY(
    SELECT r.incarnation FROM (
      SELECT f.incarnation, f.ready_at FROM unnest(v_free, v_times) AS f (incarnation, ready_at)
      UNION ALL
      (SELECT e.incarnation, e.ready_at FROM {schema}.instances AS e
       WHERE e.expires_at >= v_floor AND e.expires_at <= p_now
         AND (e.stop OR (e.kind = ANY (p_kinds) AND e.flags & ~p_flags = 0))
       ORDER BY e.expires_at LIMIT c_many)
      UNION ALL
      (SELECT n.incarnation, n.ready_at FROM {schema}.instances AS n
       WHERE n.node = p_node AND n.node_run = p_run AND num_nulls(n.lease) = 0
         AND n.ready_at <= p_now AND n.lease_until > p_now
         AND {schema}.has_news(n.incarnation, p_now, n.offered_at, n.offered_id))) AS r
    ORDER BY r.ready_at, r.incarnation);
END $duroxide$;

-- Take of these, in their order, as many as are wanted and still to be had. Waits for nobody.
CREATE OR REPLACE FUNCTION {schema}.take_instances(
  p_ready bigint[], p_lease uuid, p_node text, p_run bigint, p_owner bigint, p_kinds text[],
  p_flags bigint, p_max integer, p_duration bigint, OUT taken bigint[], OUT lease_until bigint
) LANGUAGE plpgsql VOLATILE AS $duroxide$
#variable_conflict use_variable
DECLARE
  v_now bigint := {schema}.now_ms();
  v_last bigint;
  v_next bigint;
  v_free boolean;
  v_offered_at bigint;
  v_offered_id bigint;
BEGIN
  taken := '{}';
  FOREACH v_next IN ARRAY p_ready LOOP
    EXIT WHEN cardinality(taken) >= p_max;
    SELECT i.lease IS NULL OR i.lease_until <= v_now, i.offered_at, i.offered_id
    INTO v_free, v_offered_at, v_offered_id FROM {schema}.instances AS i
    WHERE i.incarnation = v_next AND i.ready_at <= v_now
      AND CASE WHEN i.lease IS NULL OR i.lease_until <= v_now
               THEN i.stop OR (i.kind = ANY (p_kinds) AND i.flags & ~p_flags = 0)
               ELSE i.node = p_node AND i.node_run = p_run END
    FOR UPDATE SKIP LOCKED;
    CONTINUE WHEN NOT FOUND;
    -- After the lock: what came before it is given, what comes later is news. Another call of the
    -- holder may have been given the news meanwhile.
    v_now := {schema}.now_ms();
    CONTINUE WHEN NOT v_free
      AND NOT {schema}.has_news(v_next, v_now, v_offered_at, v_offered_id);
    SELECT s.last_value INTO v_last FROM {schema}.ids AS s;
    IF v_free THEN
      lease_until := v_now + p_duration;
      UPDATE {schema}.instances AS i SET
        lease = p_lease, lease_until = take_instances.lease_until, node = p_node,
        node_run = p_run, owner = p_owner, kept = false, attempt = i.attempt + 1, offer = NULL,
        offered_at = v_now, offered_id = v_last
      WHERE i.incarnation = v_next;
    ELSE
      -- Give a holder its news under the lease it has.
      UPDATE {schema}.instances AS i SET
        offer = p_lease, offered_at = v_now, offered_id = v_last
      WHERE i.incarnation = v_next;
    END IF;
    taken := taken || v_next;
  END LOOP;
END $duroxide$;

-- The first row says the time, the others what was leased.
CREATE OR REPLACE FUNCTION {schema}.lease_orchestrations(
  p_lease uuid, p_node text, p_run bigint, p_owner bigint, p_kinds text[], p_flags bigint,
  p_max integer, p_duration bigint
) RETURNS TABLE (
  store_now bigint, due bigint, incarnation bigint, ns text, id text, lease uuid, execution bigint,
  last_commit uuid, next_event bigint, name text, version text, flags bigint, attempt integer,
  parent_id text, parent_execution bigint, parent_event bigint, arrival_ids bigint[],
  arrival_times bigint[], arrival_bodies bytea[], more_arrivals boolean
) LANGUAGE plpgsql VOLATILE
SET plan_cache_mode = force_generic_plan SET join_collapse_limit = 1 SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off
SET enable_hashjoin = off SET enable_mergejoin = off
AS $duroxide$
#variable_conflict use_column
DECLARE
  v_now bigint := {schema}.now_ms();
  v_due bigint;
  v_taken bigint[];
BEGIN
  -- Leases need not outlive the server: their ids are random, so a forgotten one is harmless.
  PERFORM set_config('synchronous_commit', 'off', true);
  -- What an earlier call with the same lease was given, as far as it is still held.
  v_taken :=
    ARRAY(SELECT i.incarnation FROM {schema}.instances AS i WHERE i.lease = p_lease)
    || ARRAY(SELECT i.incarnation FROM {schema}.instances AS i WHERE i.offer = p_lease);
  v_taken := ARRAY(SELECT DISTINCT t.number FROM unnest(v_taken) AS t (number) ORDER BY 1);
  IF v_taken = '{}' AND p_max > 0 AND {schema}.is_joined(p_owner) THEN
    v_taken := {schema}.ready_instances(p_node, p_run, p_kinds, p_flags, p_max, v_now);
    IF v_taken <> '{}' THEN
      SELECT t.taken, t.lease_until INTO v_taken, v_due
      FROM {schema}.take_instances(v_taken, p_lease, p_node, p_run, p_owner, p_kinds, p_flags,
                                   p_max, p_duration) AS t;
      v_now := {schema}.now_ms();
    END IF;
    IF {schema}.raise_floors(v_now, v_taken <> '{}') THEN
      v_due := 0;
    END IF;
    IF v_taken = '{}' THEN
      PERFORM {schema}.nothing_changed();
    END IF;
  END IF;
  RETURN QUERY SELECT v_now, v_due, NULL::bigint, NULL::text, NULL::text, NULL::uuid, NULL::bigint,
    NULL::uuid, NULL::bigint, NULL::text, NULL::text, NULL::bigint, NULL::integer, NULL::text,
    NULL::bigint, NULL::bigint, NULL::bigint[], NULL::bigint[], NULL::bytea[], NULL::boolean;
  RETURN QUERY
    SELECT v_now, v_due, i.incarnation, i.ns, i.id, i.lease, i.execution, i.last_commit,
           i.next_event, i.name, i.version, i.flags, i.attempt, i.parent_id, i.parent_execution,
           i.parent_event, a.ids, a.times, a.bodies, a.more
    FROM unnest(v_taken) WITH ORDINALITY AS t (incarnation, nth)
    -- Not "lease is not null": one by one the planner would look through all that is held.
    JOIN {schema}.instances AS i ON i.incarnation = t.incarnation AND num_nonnulls(i.lease) = 1
    CROSS JOIN LATERAL {schema}.arrivals(i.incarnation, i.next_event = 1, v_now) AS a
    ORDER BY t.nth;
END $duroxide$;
