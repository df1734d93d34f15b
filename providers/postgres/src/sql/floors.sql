-- The floors of the queues. What is taken from a queue leaves an entry in its index until vacuum
-- removes it, and vacuum cannot while a transaction anywhere is older. A look at a queue begins at
-- its floor, and so passes over few of them. A floor that is too low costs time; one that is too
-- high hides work, and so it is raised with a distance, only while nobody lowers it, and checked
-- against all there is every few seconds.

-- An activity that was taken goes back to its old place in the queue: look from the beginning again.
CREATE OR REPLACE FUNCTION {schema}.lower_floor(p_at bigint) RETURNS void
LANGUAGE plpgsql VOLATILE AS $duroxide$
BEGIN
  PERFORM pg_advisory_xact_lock_shared('{schema_text}.floors_raised'::regclass::oid::bigint);
  IF p_at < (SELECT f.last_value FROM {schema}.floor_waiting AS f) THEN
    PERFORM setval('{schema_text}.floor_waiting', 0);
  END IF;
END $duroxide$;

-- Raise the floors to what lives, now and then, if something was taken; and check them, in any case.
-- True: there was something below them, which can be taken now.
CREATE OR REPLACE FUNCTION {schema}.raise_floors(p_now bigint, p_took boolean) RETURNS boolean
LANGUAGE plpgsql VOLATILE AS $duroxide$
DECLARE
  -- What began before now and is not committed yet may go below what is seen.
  c_distance CONSTANT bigint := 2000;
  c_every CONSTANT bigint := 1000;
  c_check_every CONSTANT bigint := 10000;
  v_check boolean := p_now >= c_check_every
                     + (SELECT s.last_value FROM {schema}.floors_checked AS s);
  v_free bigint := 0;
  v_expired bigint := 0;
  v_waiting bigint := 0;
  v_held bigint := 0;
  v_before record;
BEGIN
  IF NOT v_check AND (NOT p_took OR p_now < c_every
                      + (SELECT s.last_value FROM {schema}.floors_raised AS s))
     OR NOT pg_try_advisory_xact_lock('{schema_text}.floors_raised'::regclass::oid::bigint) THEN
    RETURN false;
  END IF;
  PERFORM setval('{schema_text}.floors_raised', p_now);
  SELECT f.last_value AS free, e.last_value AS expired, w.last_value AS waiting,
         h.last_value AS held
  INTO v_before
  FROM {schema}.floor_free AS f, {schema}.floor_expired AS e, {schema}.floor_waiting AS w,
       {schema}.floor_held AS h;
  IF v_check THEN
    PERFORM setval('{schema_text}.floors_checked', p_now);
  ELSE
    v_free := v_before.free;
    v_expired := v_before.expired;
    v_waiting := v_before.waiting;
    v_held := v_before.held;
  END IF;
  SELECT i.ready_at INTO v_free FROM {schema}.instances AS i
  WHERE i.lease IS NULL AND i.ready_at >= v_free ORDER BY i.ready_at, i.incarnation LIMIT 1;
  SELECT i.expires_at INTO v_expired FROM {schema}.instances AS i
  WHERE i.expires_at >= v_expired ORDER BY i.expires_at LIMIT 1;
  SELECT a.visible_at INTO v_waiting FROM {schema}.activities AS a
  WHERE a.lease IS NULL AND a.visible_at >= v_waiting ORDER BY a.visible_at, a.seq LIMIT 1;
  SELECT a.lease_until INTO v_held FROM {schema}.activities AS a
  WHERE a.lease_until > 0 AND a.lease_until >= v_held ORDER BY a.lease_until LIMIT 1;
  PERFORM setval('{schema_text}.floor_free', least(v_free, p_now - c_distance));
  PERFORM setval('{schema_text}.floor_expired', least(v_expired, p_now - c_distance));
  PERFORM setval('{schema_text}.floor_waiting', least(v_waiting, p_now - c_distance));
  PERFORM setval('{schema_text}.floor_held', least(v_held, p_now - c_distance));
  RETURN v_check AND coalesce(
    v_free < v_before.free OR v_expired < v_before.expired
    OR v_waiting < v_before.waiting OR v_held < v_before.held, false);
END $duroxide$;
