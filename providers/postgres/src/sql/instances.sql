-- How instances begin. How they end: ends.sql.

-- Make an instance with its first execution and the message that starts it. Its number was drawn
-- before. False: the id is in use.
CREATE OR REPLACE FUNCTION {schema}.create_instance(
  p_incarnation bigint, p_ns text, p_id text, p_name text, p_version text, p_start bytea,
  p_parent {schema}.instances, p_parent_event bigint, p_now bigint
) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $duroxide$
BEGIN
  INSERT INTO {schema}.instances AS i
    (incarnation, ns, id, name, version, ready_at, parent, parent_id, parent_execution,
     parent_event, root, created_at, updated_at)
  VALUES (p_incarnation, p_ns, p_id, p_name, p_version, p_now, p_parent.incarnation, p_parent.id,
          p_parent.execution, p_parent_event, coalesce(p_parent.root, p_incarnation), p_now, p_now)
  ON CONFLICT DO NOTHING;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  INSERT INTO {schema}.executions (incarnation, execution, started_at)
  VALUES (p_incarnation, 1, p_now);
  INSERT INTO {schema}.inbox (id, incarnation, execution, visible_at, kind, body)
  VALUES (nextval('{schema_text}.ids'), p_incarnation, 1, p_now, 0, p_start);
  RETURN true;
END $duroxide$;
