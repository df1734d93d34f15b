-- Handles on the store: how one joins, looks whether the others live, and buries those that do
-- not. A live one holds, in a session of its own, the advisory lock of its session's number, which
-- the server lets go of when the process dies, however it dies.

-- The second half of a lock's key; the first is the schema.
CREATE OR REPLACE FUNCTION {schema}.session_key(p_session bigint) RETURNS integer LANGUAGE sql IMMUTABLE
AS $duroxide$ SELECT (p_session & 2147483647)::integer $duroxide$;

CREATE OR REPLACE FUNCTION {schema}.session_space() RETURNS integer LANGUAGE sql STABLE
AS $duroxide$ SELECT '{schema_text}'::regnamespace::oid::integer $duroxide$;

-- Begin a session of a handle: a new one, or one whose session was cut. The number of the session
-- is new, so the lock is free even while the server has not noticed the death of the one before.
CREATE OR REPLACE FUNCTION {schema}.join_nodes(p_owner bigint)
RETURNS TABLE (owner bigint, session bigint, backend integer, store_now bigint)
LANGUAGE plpgsql VOLATILE AS $duroxide$
DECLARE
  v_owner bigint := coalesce(p_owner, nextval('{schema_text}.ids'));
  v_session bigint := nextval('{schema_text}.ids');
  v_now bigint := {schema}.now_ms();
BEGIN
  PERFORM pg_advisory_lock({schema}.session_space(), {schema}.session_key(v_session));
  INSERT INTO {schema}.nodes AS n (owner, session, joined_at) VALUES (v_owner, v_session, v_now)
  ON CONFLICT ON CONSTRAINT nodes_pkey DO UPDATE SET session = excluded.session;
  RETURN QUERY SELECT v_owner, v_session, pg_backend_pid(), v_now;
END $duroxide$;

-- Whether this session still is what it was, which others have no session, and a text that
-- differs whenever a transaction has ended that changed anything: by those under way, and by how
-- many have begun, but for those that changed nothing.
CREATE OR REPLACE FUNCTION {schema}.look_around(p_owner bigint, p_session bigint, p_channel text)
RETURNS TABLE (joined boolean, others bigint, dead_owners bigint[], dead_sessions bigint[],
               pulse text, store_now bigint)
LANGUAGE plpgsql VOLATILE AS $duroxide$
DECLARE
  v_space integer := {schema}.session_space();
BEGIN
  RETURN QUERY
  WITH other AS MATERIALIZED (
    SELECT n.owner, n.session,
           pg_try_advisory_xact_lock_shared(v_space, {schema}.session_key(n.session)) AS dead
    FROM {schema}.nodes AS n WHERE n.owner <> p_owner)
  SELECT EXISTS (SELECT FROM {schema}.nodes AS n
                 WHERE n.owner = p_owner AND n.session = p_session)
           AND EXISTS (SELECT FROM pg_listening_channels() AS c WHERE c = p_channel),
         (SELECT count(*) FROM other WHERE NOT dead),
         ARRAY(SELECT o.owner FROM other AS o WHERE o.dead ORDER BY o.owner),
         ARRAY(SELECT o.session FROM other AS o WHERE o.dead ORDER BY o.owner),
         (SELECT pg_snapshot_xmax(s.now)::text::bigint - i.last_value
                 || ':' || ARRAY(SELECT pg_snapshot_xip(s.now))::text
          FROM {schema}.idle AS i, pg_current_snapshot() AS s (now)),
         {schema}.peek_ms();
  PERFORM {schema}.nothing_changed();
END $duroxide$;

-- What these held is free at once, and theirs until it is taken over. One row after the other, in
-- their order, as everywhere: instances, activities, sessions.
CREATE OR REPLACE FUNCTION {schema}.free_all_of(p_owners bigint[]) RETURNS void
LANGUAGE plpgsql VOLATILE AS $duroxide$
DECLARE
  v_held record;
BEGIN
  FOR v_held IN
    SELECT i.incarnation FROM {schema}.instances AS i
    WHERE i.lease IS NOT NULL AND i.owner = ANY (p_owners) ORDER BY i.incarnation
  LOOP
    PERFORM 1 FROM {schema}.instances AS i WHERE i.incarnation = v_held.incarnation FOR UPDATE;
    UPDATE {schema}.instances AS i SET lease_until = least(i.lease_until, {schema}.now_ms())
    WHERE i.incarnation = v_held.incarnation AND num_nonnulls(i.lease) = 1
      AND i.owner = ANY (p_owners);
  END LOOP;
  FOR v_held IN
    SELECT a.incarnation, a.execution, a.event FROM {schema}.activities AS a
    WHERE a.lease IS NOT NULL AND a.owner = ANY (p_owners)
    ORDER BY a.incarnation, a.execution, a.event
  LOOP
    PERFORM 1 FROM {schema}.activities AS a
    WHERE a.incarnation = v_held.incarnation AND a.execution = v_held.execution
      AND a.event = v_held.event FOR UPDATE;
    UPDATE {schema}.activities AS a SET lease_until = least(a.lease_until, {schema}.now_ms())
    WHERE a.incarnation = v_held.incarnation AND a.execution = v_held.execution
      AND a.event = v_held.event AND num_nonnulls(a.lease) = 1 AND a.owner = ANY (p_owners);
  END LOOP;
  FOR v_held IN
    SELECT s.ns, s.session FROM {schema}.sessions AS s
    WHERE s.owner = ANY (p_owners) ORDER BY s.ns, s.session
  LOOP
    UPDATE {schema}.sessions AS s SET idle_until = 0
    WHERE s.ns = v_held.ns AND s.session = v_held.session AND s.owner = ANY (p_owners);
  END LOOP;
END $duroxide$;

-- Bury those of these that have had no session since they were looked at. Gives how many.
CREATE OR REPLACE FUNCTION {schema}.bury_nodes(p_owners bigint[], p_sessions bigint[]) RETURNS bigint
LANGUAGE plpgsql VOLATILE AS $duroxide$
DECLARE
  v_space integer := {schema}.session_space();
  v_dead bigint[];
BEGIN
  WITH gone AS (
    DELETE FROM {schema}.nodes AS n USING unnest(p_owners, p_sessions) AS d (owner, session)
    WHERE n.owner = d.owner AND n.session = d.session
      AND pg_try_advisory_xact_lock_shared(v_space, {schema}.session_key(d.session))
    RETURNING n.owner)
  SELECT coalesce(array_agg(gone.owner ORDER BY gone.owner), '{}') INTO v_dead FROM gone;
  IF v_dead <> '{}' THEN
    PERFORM {schema}.free_all_of(v_dead);
  END IF;
  RETURN cardinality(v_dead);
END $duroxide$;

-- Whether the others know of this handle. What one that was taken for dead were given before it
-- has joined again, nobody would free if it died meanwhile: until then it is given nothing.
CREATE OR REPLACE FUNCTION {schema}.is_joined(p_owner bigint) RETURNS boolean LANGUAGE sql STABLE
AS $duroxide$ SELECT EXISTS (SELECT FROM {schema}.nodes AS n WHERE n.owner = p_owner) $duroxide$;

-- A handle is closed.
CREATE OR REPLACE FUNCTION {schema}.leave_nodes(p_owner bigint) RETURNS void
LANGUAGE plpgsql VOLATILE AS $duroxide$
BEGIN
  DELETE FROM {schema}.nodes AS n WHERE n.owner = p_owner;
  PERFORM {schema}.free_all_of(ARRAY[p_owner]);
END $duroxide$;
