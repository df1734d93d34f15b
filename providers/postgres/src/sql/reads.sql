-- Reads that look at several tables, each in one statement and so in one snapshot.

-- A page of history for who holds the instance, and on the first page what goes with it. held is
-- null for an instance that is not there. Rows of events are given whole: the first may begin
-- before p_from, and they are at least as many as p_max bytes ask for.
CREATE OR REPLACE FUNCTION {schema}.read_history(
  p_incarnation bigint, p_lease uuid, p_execution bigint, p_from bigint, p_max bigint,
  p_window bigint)
RETURNS TABLE (held boolean, ns text, id text, current_execution bigint, events bytea[],
               more boolean, base text, kv_keys text[], kv_values text[], kv_at bigint[],
               mail_channels smallint[], mail_names text[], mail_ids bigint[], mail_at bigint[],
               mail_bodies bytea[], mail_nth bigint[])
LANGUAGE plpgsql STABLE AS $duroxide$
DECLARE
  v_first bigint;
  v_last bigint;
  v_bytes bigint := 0;
  v_row record;
BEGIN
  more := false;
  SELECT coalesce(i.lease = p_lease, false), i.ns, i.id, i.execution
  INTO held, ns, id, current_execution
  FROM {schema}.instances AS i WHERE i.incarnation = p_incarnation;
  IF held IS NOT TRUE OR current_execution <> p_execution THEN
    RETURN NEXT;
    RETURN;
  END IF;
  SELECT coalesce(max(e.first_event), 0) INTO v_first FROM {schema}.events AS e
  WHERE e.incarnation = p_incarnation AND e.execution = p_execution AND e.first_event <= p_from;
  FOR v_row IN
    SELECT e.first_event, octet_length(e.bytes) AS size FROM {schema}.events AS e
    WHERE e.incarnation = p_incarnation AND e.execution = p_execution AND e.first_event >= v_first
    ORDER BY e.first_event
  LOOP
    IF v_bytes > p_max THEN
      more := true;
      EXIT;
    END IF;
    -- Of the first row nobody knows how much of it is wanted.
    v_bytes := v_bytes + CASE WHEN v_last IS NULL THEN 0 ELSE v_row.size END;
    v_last := v_row.first_event;
  END LOOP;
  events := ARRAY(
    SELECT e.bytes FROM {schema}.events AS e
    WHERE e.incarnation = p_incarnation AND e.execution = p_execution
      AND e.first_event BETWEEN v_first AND v_last
    ORDER BY e.first_event);
  IF p_from = 1 THEN
    SELECT s.base INTO base FROM {schema}.statuses AS s WHERE s.incarnation = p_incarnation;
    SELECT coalesce(array_agg(k.key ORDER BY k.key), '{}'),
           coalesce(array_agg(k.value ORDER BY k.key), '{}'),
           coalesce(array_agg(k.updated_at ORDER BY k.key), '{}')
    INTO kv_keys, kv_values, kv_at
    FROM {schema}.kv_base AS k WHERE k.incarnation = p_incarnation;
    SELECT coalesce(array_agg(m.channel ORDER BY m.id), '{}'),
           coalesce(array_agg(m.name ORDER BY m.id), '{}'),
           coalesce(array_agg(m.id ORDER BY m.id), '{}'),
           coalesce(array_agg(m.visible_at ORDER BY m.id), '{}'),
           coalesce(array_agg(CASE WHEN m.nth <= p_window THEN m.body ELSE '' END ORDER BY m.id),
                    '{}'),
           coalesce(array_agg(m.nth ORDER BY m.id), '{}')
    INTO mail_channels, mail_names, mail_ids, mail_at, mail_bodies, mail_nth
    FROM (
      SELECT x.channel, x.name, x.id, x.visible_at, x.body,
             row_number() OVER (PARTITION BY x.channel, x.name ORDER BY x.id) AS nth
      FROM {schema}.inbox AS x WHERE x.incarnation = p_incarnation AND x.seen) AS m
    WHERE m.nth <= p_window + 1;
  END IF;
  RETURN NEXT;
END $duroxide$;

-- Since when the oldest activity of a name waits, but for what waits for room for its session, and
-- what was handed back after its instance had been quarantined.
CREATE OR REPLACE FUNCTION {schema}.oldest_waiting(
  p_name text, p_now bigint, p_no_room boolean, p_looks bigint)
RETURNS bigint LANGUAGE sql STABLE AS $duroxide$
  SELECT f.visible_at FROM (
    SELECT a.incarnation, a.visible_at, a.ns, a.session FROM {schema}.activities AS a
    WHERE a.owner IS NULL AND a.name = p_name AND a.visible_at <= p_now
    ORDER BY a.visible_at, a.seq LIMIT p_looks) AS f
  WHERE NOT (p_no_room AND f.session IS NOT NULL AND NOT EXISTS (
    SELECT FROM {schema}.sessions AS s
    WHERE s.ns = f.ns AND s.session = f.session AND s.idle_until > p_now))
    AND NOT EXISTS (SELECT FROM {schema}.instances AS i
                    WHERE i.incarnation = f.incarnation AND i.quarantine IS NOT NULL)
  ORDER BY f.visible_at LIMIT 1
$duroxide$;

-- What is ready and held by nobody, by name. what: 0 an orchestration, 1 an activity, 2 the name
-- of an activity that is held, 3 the youngest that a node holds. Reads ends of indexes only,
-- however long the queues are.
CREATE OR REPLACE FUNCTION {schema}.unclaimed_names(p_looks bigint)
RETURNS TABLE (what integer, name text, version text, since bigint, store_now bigint)
LANGUAGE plpgsql STABLE AS $duroxide$
DECLARE
  v_now bigint := {schema}.peek_ms();
  v_name text := '';
  v_since bigint;
  v_no_room boolean := EXISTS (
    SELECT FROM {schema}.sessions AS s WHERE s.idle_until > v_now
    GROUP BY s.node HAVING count(*) >= min(s.node_max));
BEGIN
  RETURN QUERY
  SELECT 0, r.name, r.version, min(r.at), v_now FROM (
    (SELECT i.name, i.version, i.ready_at AS at FROM {schema}.instances AS i
     WHERE i.lease IS NULL AND i.ready_at IS NOT NULL AND i.ready_at <= v_now
     ORDER BY i.ready_at, i.incarnation LIMIT p_looks)
    UNION ALL
    (SELECT i.name, i.version, i.expires_at FROM {schema}.instances AS i
     WHERE i.expires_at IS NOT NULL AND i.expires_at <= v_now
     ORDER BY i.expires_at LIMIT p_looks)) AS r
  GROUP BY r.name, r.version;
  FOR v_look IN 1..p_looks LOOP
    SELECT a.name INTO v_name FROM {schema}.activities AS a
    WHERE a.owner IS NULL AND a.name > v_name ORDER BY a.name, a.visible_at, a.seq LIMIT 1;
    EXIT WHEN NOT FOUND;
    v_since := {schema}.oldest_waiting(v_name, v_now, v_no_room, p_looks);
    IF v_since IS NOT NULL THEN
      RETURN QUERY SELECT 1, v_name, NULL::text, v_since, v_now;
    END IF;
  END LOOP;
  -- Attempts that died, and that nobody has taken over: few, whatever waits.
  RETURN QUERY
  SELECT 1, a.name, NULL::text, greatest(a.visible_at, a.lease_until), v_now
  FROM {schema}.activities AS a JOIN {schema}.instances AS i USING (incarnation)
  WHERE a.lease_until > 0 AND a.lease_until <= v_now AND i.quarantine IS NULL
    AND NOT (v_no_room AND a.session IS NOT NULL);
  RETURN QUERY
  SELECT DISTINCT 2, a.name, NULL::text, 0::bigint, v_now FROM {schema}.activities AS a
  WHERE a.lease_until > 0 AND a.lease_until > v_now;
  RETURN QUERY
  SELECT 3, NULL::text, NULL::text, max(a.visible_at), v_now FROM {schema}.activities AS a
  WHERE a.lease_until > 0 AND a.lease_until > v_now GROUP BY a.owner, a.node;
  RETURN QUERY SELECT 4, NULL::text, NULL::text, 0::bigint, v_now;
END $duroxide$;

-- The earliest time after p_after at which an instance or activity becomes ready, a lease on
-- something ready runs out, or a session that others wait for may move. What is already due
-- makes it now: then due is what comes after that.
CREATE OR REPLACE FUNCTION {schema}.next_due(p_after bigint)
RETURNS TABLE (ready boolean, due bigint, store_now bigint)
LANGUAGE plpgsql STABLE AS $duroxide$
BEGIN
  store_now := {schema}.peek_ms();
  due := {schema}.first_due(p_after);
  ready := coalesce(due <= store_now, false);
  IF ready THEN
    due := {schema}.first_due(store_now);
  END IF;
  RETURN NEXT;
END $duroxide$;

CREATE OR REPLACE FUNCTION {schema}.first_due(p_after bigint) RETURNS bigint LANGUAGE sql STABLE
AS $duroxide$
  SELECT least(
    (SELECT min(i.ready_at) FROM {schema}.instances AS i
     WHERE i.lease IS NULL AND i.ready_at IS NOT NULL AND i.ready_at > p_after),
    -- What is held concerns its holder when it becomes ready, and others when the lease runs out.
    (SELECT min(i.ready_at) FROM {schema}.instances AS i
     WHERE i.lease IS NOT NULL AND i.ready_at IS NOT NULL AND i.ready_at > p_after),
    (SELECT min(i.expires_at) FROM {schema}.instances AS i
     WHERE i.expires_at IS NOT NULL AND i.expires_at > p_after),
    (SELECT min(a.visible_at) FROM {schema}.activities AS a
     WHERE a.lease IS NULL AND a.visible_at > p_after),
    (SELECT min(a.lease_until) FROM {schema}.activities AS a
     WHERE a.lease_until > 0 AND a.lease_until > p_after),
    -- Not only of its own: what waits may wait for a node to own one session less.
    (SELECT min(s.idle_until) FROM {schema}.sessions AS s
     WHERE s.idle_until > p_after AND EXISTS (
       SELECT FROM {schema}.activities AS a WHERE a.session IS NOT NULL AND a.lease IS NULL)))
$duroxide$;
