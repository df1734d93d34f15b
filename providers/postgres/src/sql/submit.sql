-- What clients ask: applied once per request id.

-- answer: 0 created, 1 exists already, 2 accepted, 3 ended, 4 not found. p_kind is that of the
-- message in the inbox.
CREATE OR REPLACE FUNCTION {schema}.submit(
  p_request uuid, p_ns text, p_id text, p_kind integer, p_name text, p_version text,
  p_channel integer, p_reason text, p_body bytea, p_stops bytea[],
  OUT answer integer, OUT store_now bigint, OUT times bigint[], OUT touched text[],
  OUT dropped bigint
) LANGUAGE plpgsql VOLATILE
SET plan_cache_mode = force_generic_plan SET join_collapse_limit = 1 SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off
SET enable_hashjoin = off SET enable_mergejoin = off
AS $duroxide$
#variable_conflict use_variable
DECLARE
  c_remembered_ms CONSTANT bigint := 15 * 60 * 1000;
  c_forget_every CONSTANT bigint := 64;
  v_number bigint;
  v_row {schema}.instances;
BEGIN
  times := '{}';
  touched := '{}';
  dropped := 0;
  -- One at a time under one id. Nothing else is locked yet.
  PERFORM pg_advisory_xact_lock(
    hashtextextended(p_request::text, '{schema_text}.requests'::regclass::oid::bigint));
  SELECT r.answer INTO answer FROM {schema}.requests AS r WHERE r.request = p_request;
  IF FOUND THEN
    store_now := {schema}.peek_ms();
    RETURN;
  END IF;
  IF p_kind = 0 THEN
    store_now := {schema}.now_ms();
    v_number := nextval('{schema_text}.ids');
    answer := 1;
    IF {schema}.create_instance(v_number, p_ns, p_id, p_name, p_version, p_body, NULL, NULL,
                                store_now) THEN
      answer := 0;
      times := ARRAY[store_now];
      touched := ARRAY[p_id];
    END IF;
  ELSE
    IF p_kind = 6 THEN
      -- What is quarantined is ended here, and tells its parent, whose row comes first.
      PERFORM 1 FROM {schema}.instances AS p WHERE p.incarnation = (
        SELECT i.parent FROM {schema}.instances AS i
        WHERE i.ns = p_ns AND i.id = p_id AND i.quarantine IS NOT NULL) FOR UPDATE;
    END IF;
    SELECT i.* INTO v_row FROM {schema}.instances AS i WHERE i.ns = p_ns AND i.id = p_id FOR UPDATE;
    store_now := {schema}.now_ms();
    IF v_row.incarnation IS NULL OR v_row.state <> 0 THEN
      answer := CASE WHEN v_row.incarnation IS NULL THEN 4 ELSE 3 END;
      dropped := 1;
    ELSE
      answer := 2;
      IF p_kind = 4 THEN
        times := {schema}.put(v_row.incarnation, NULL, store_now, 4, NULL, p_channel, p_name,
                              p_body);
      ELSE
        SELECT s.times, s.touched, s.dropped INTO times, touched, dropped
        FROM {schema}.stop_one(v_row.incarnation, p_kind, p_reason, p_body, p_stops,
                               store_now) AS s;
      END IF;
    END IF;
  END IF;
  IF answer <> 4 THEN
    v_number := nextval('{schema_text}.ids');
    INSERT INTO {schema}.requests (id, request, answer, at)
    VALUES (v_number, p_request, answer, store_now);
    IF v_number % c_forget_every = 0 THEN
      PERFORM {schema}.forget_requests(store_now - c_remembered_ms);
    END IF;
  END IF;
END $duroxide$;

-- Forget what can come again no more: more at once than comes between two times of it. A clock
-- that was set does not tell that alone, many numbers given since do.
CREATE OR REPLACE FUNCTION {schema}.forget_requests(p_before bigint) RETURNS void
LANGUAGE sql VOLATILE AS $duroxide$
  DELETE FROM {schema}.requests AS r WHERE r.id IN (
    SELECT o.id FROM (
      SELECT q.id, q.at FROM {schema}.requests AS q ORDER BY q.id LIMIT 500
      FOR UPDATE SKIP LOCKED) AS o
    WHERE o.at < p_before AND o.id < (SELECT max(n.id) FROM {schema}.requests AS n) - 20000)
$duroxide$;
