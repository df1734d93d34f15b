-- Deleting instances and pruning executions. A tree goes as a whole, through its root.

-- Delete these roots with all below them. Members are locked in the order of their creation, as
-- everywhere, until there are no more of them: whoever could make another holds its parent.
CREATE OR REPLACE FUNCTION {schema}.delete_trees(p_roots bigint[])
RETURNS TABLE (instances bigint, executions bigint, events bigint, messages bigint,
               announce boolean, touched_ns text[], touched_ids text[])
LANGUAGE plpgsql VOLATILE AS $duroxide$
DECLARE
  v_members bigint[] := p_roots;
  v_found bigint[];
  v_seen bigint;
BEGIN
  LOOP
    PERFORM 1 FROM {schema}.instances AS i
    WHERE i.incarnation = ANY (v_members) ORDER BY i.incarnation FOR UPDATE;
    v_found := ARRAY(
      SELECT i.incarnation FROM {schema}.instances AS i WHERE i.incarnation = ANY (p_roots)
      UNION
      SELECT i.incarnation FROM {schema}.instances AS i
      WHERE i.root = ANY (p_roots) AND i.parent IS NOT NULL
      ORDER BY 1);
    EXIT WHEN v_found <@ v_members;
    v_members := v_found;
  END LOOP;
  v_members := v_found;
  SELECT coalesce(sum(e.last_event - e.first_event + 1), 0) INTO events
  FROM {schema}.events AS e WHERE e.incarnation = ANY (v_members);
  SELECT count(*), coalesce(array_agg(i.ns ORDER BY i.incarnation), '{}'),
         coalesce(array_agg(i.id ORDER BY i.incarnation), '{}')
  INTO instances, touched_ns, touched_ids
  FROM {schema}.instances AS i WHERE i.incarnation = ANY (v_members);
  DELETE FROM {schema}.executions AS e WHERE e.incarnation = ANY (v_members);
  GET DIAGNOSTICS executions = ROW_COUNT;
  -- Seen and unseen apart: each has its index.
  DELETE FROM {schema}.inbox AS m WHERE m.incarnation = ANY (v_members) AND NOT m.seen;
  GET DIAGNOSTICS messages = ROW_COUNT;
  DELETE FROM {schema}.inbox AS m WHERE m.incarnation = ANY (v_members) AND m.seen;
  GET DIAGNOSTICS v_seen = ROW_COUNT;
  messages := messages + v_seen;
  DELETE FROM {schema}.activities AS a WHERE a.incarnation = ANY (v_members);
  -- Whoever runs one is to stop.
  announce := FOUND;
  DELETE FROM {schema}.events AS e WHERE e.incarnation = ANY (v_members);
  DELETE FROM {schema}.statuses AS s WHERE s.incarnation = ANY (v_members);
  DELETE FROM {schema}.kv AS k WHERE k.incarnation = ANY (v_members);
  DELETE FROM {schema}.kv_base AS k WHERE k.incarnation = ANY (v_members);
  DELETE FROM {schema}.abandoned AS a WHERE a.incarnation = ANY (v_members);
  DELETE FROM {schema}.instances AS i WHERE i.incarnation = ANY (v_members);
  RETURN NEXT;
END $duroxide$;

-- Delete a root and all below it. refusal: null, or missing, child (with the id of its root) or
-- running.
CREATE OR REPLACE FUNCTION {schema}.delete_instance(p_ns text, p_id text, p_force boolean)
RETURNS TABLE (refusal text, root_id text, instances bigint, executions bigint, events bigint,
               messages bigint, announce boolean, touched_ns text[], touched_ids text[],
               store_now bigint)
LANGUAGE plpgsql VOLATILE AS $duroxide$
DECLARE
  v_row record;
BEGIN
  store_now := {schema}.peek_ms();
  SELECT i.incarnation, i.parent, i.root, i.state INTO v_row
  FROM {schema}.instances AS i WHERE i.ns = p_ns AND i.id = p_id FOR UPDATE;
  IF NOT FOUND THEN
    refusal := 'missing';
  ELSIF v_row.parent IS NOT NULL THEN
    refusal := 'child';
    SELECT i.id INTO root_id FROM {schema}.instances AS i WHERE i.incarnation = v_row.root;
  ELSIF v_row.state = 0 AND NOT p_force THEN
    refusal := 'running';
  ELSE
    SELECT d.instances, d.executions, d.events, d.messages, d.announce, d.touched_ns,
           d.touched_ids
    INTO instances, executions, events, messages, announce, touched_ns, touched_ids
    FROM {schema}.delete_trees(ARRAY[v_row.incarnation]) AS d;
  END IF;
  RETURN NEXT;
END $duroxide$;

-- Delete these, as far as they are roots and have ended by now.
CREATE OR REPLACE FUNCTION {schema}.delete_ended(p_roots bigint[])
RETURNS TABLE (instances bigint, executions bigint, events bigint, messages bigint,
               announce boolean, touched_ns text[], touched_ids text[], store_now bigint)
LANGUAGE plpgsql VOLATILE AS $duroxide$
DECLARE
  v_ended bigint[];
BEGIN
  PERFORM 1 FROM {schema}.instances AS i
  WHERE i.incarnation = ANY (p_roots) ORDER BY i.incarnation FOR UPDATE;
  v_ended := ARRAY(
    SELECT i.incarnation FROM {schema}.instances AS i
    WHERE i.incarnation = ANY (p_roots) AND i.state <> 0 AND i.parent IS NULL
    ORDER BY i.incarnation);
  RETURN QUERY
  SELECT d.instances, d.executions, d.events, d.messages, d.announce, d.touched_ns,
         d.touched_ids, {schema}.peek_ms()
  FROM {schema}.delete_trees(v_ended) AS d;
END $duroxide$;

-- Prune old executions of these. Everything given must hold; the current one never is pruned.
CREATE OR REPLACE FUNCTION {schema}.prune_executions(p_instances bigint[], p_keep bigint, p_before bigint)
RETURNS TABLE (instances bigint, executions bigint, events bigint)
LANGUAGE plpgsql VOLATILE AS $duroxide$
BEGIN
  SELECT count(*) INTO instances
  FROM {schema}.instances AS i WHERE i.incarnation = ANY (p_instances);
  WITH gone AS (
    DELETE FROM {schema}.executions AS e USING {schema}.instances AS i
    WHERE i.incarnation = ANY (p_instances) AND e.incarnation = i.incarnation
      AND e.execution <= i.execution - p_keep AND (p_before IS NULL OR e.ended_at < p_before)
    RETURNING e.incarnation, e.execution
  ), emptied AS (
    DELETE FROM {schema}.events AS v USING gone AS g
    WHERE v.incarnation = g.incarnation AND v.execution = g.execution
    RETURNING v.last_event - v.first_event + 1 AS events
  )
  SELECT (SELECT count(*) FROM gone), (SELECT coalesce(sum(x.events), 0) FROM emptied AS x)
  INTO executions, events;
  RETURN NEXT;
END $duroxide$;
