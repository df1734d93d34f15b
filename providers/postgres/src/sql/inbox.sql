-- The inbox of an instance. Whoever calls these holds the instance's row.

-- Put a message into an inbox and make its instance ready for it. Gives the times at which there
-- is something to do for somebody.
CREATE OR REPLACE FUNCTION {schema}.put(
  p_to bigint, p_execution bigint, p_at bigint, p_kind integer, p_source bigint,
  p_channel integer, p_name text, p_body bytea
) RETURNS bigint[] LANGUAGE plpgsql VOLATILE AS $duroxide$
DECLARE
  v_times bigint[];
BEGIN
  INSERT INTO {schema}.inbox
    (id, incarnation, execution, visible_at, kind, source, channel, name, body)
  VALUES (nextval('{schema_text}.ids'), p_to, p_execution, p_at, p_kind, p_source, p_channel,
          p_name, p_body);
  UPDATE {schema}.instances AS i SET
    stop = i.stop OR p_kind = 6,
    not_before = CASE WHEN p_kind = 6 THEN 0 ELSE i.not_before END,
    ready_at = CASE WHEN p_kind = 6 THEN p_at
                    ELSE greatest(least(i.ready_at, p_at), i.not_before) END
  WHERE i.incarnation = p_to AND i.quarantine IS NULL
  -- Its holder is told now; should it be dead, another may take over then.
  RETURNING CASE WHEN i.lease IS NULL THEN ARRAY[i.ready_at]
                 ELSE ARRAY[i.ready_at, i.lease_until] END
  INTO v_times;
  RETURN coalesce(v_times, '{}');
END $duroxide$;

-- What has arrived and was not seen, in order, and whether there is more than one answer carries.
-- Before the first turn of an execution its start comes first, whatever arrived before it; and
-- what ends the instance does not wait behind mail that nobody may ever take.
CREATE OR REPLACE FUNCTION {schema}.arrivals(
  p_incarnation bigint, p_first boolean, p_now bigint,
  OUT ids bigint[], OUT times bigint[], OUT bodies bytea[], OUT more boolean
) LANGUAGE plpgsql VOLATILE AS $duroxide$
#variable_conflict use_variable
DECLARE
  c_window CONSTANT integer := 128;
  c_bytes CONSTANT integer := 4 << 20;
BEGIN
  SELECT array_agg(w.id ORDER BY w.nth) FILTER (WHERE w.fits),
         array_agg(w.visible_at ORDER BY w.nth) FILTER (WHERE w.fits),
         array_agg(w.body ORDER BY w.nth) FILTER (WHERE w.fits),
         coalesce(bool_or(NOT w.fits), false)
  INTO ids, times, bodies, more
  FROM (
    SELECT m.id, m.visible_at, m.body, m.nth,
           m.nth <= c_window AND
             coalesce(sum(octet_length(m.body)) OVER (ORDER BY m.nth ROWS BETWEEN
               UNBOUNDED PRECEDING AND 1 PRECEDING), 0) < c_bytes AS fits
    FROM (
      SELECT a.id, a.visible_at, a.body, row_number() OVER () AS nth
      FROM (
        (SELECT s.id, s.visible_at, s.body FROM {schema}.inbox AS s
         WHERE p_first AND s.incarnation = p_incarnation AND NOT s.seen AND s.kind = 0
         LIMIT 1)
        UNION ALL
        (SELECT u.id, u.visible_at, u.body FROM {schema}.inbox AS u
         WHERE u.incarnation = p_incarnation AND NOT u.seen AND u.visible_at <= p_now
           AND u.kind <> 0
         ORDER BY u.visible_at, u.id LIMIT c_window + 1)) AS a) AS m) AS w;
  IF more THEN
    SELECT ids || s.id, times || s.visible_at, bodies || s.body INTO ids, times, bodies
    FROM (SELECT t.id, t.visible_at, t.body FROM {schema}.inbox AS t
          WHERE t.incarnation = p_incarnation AND NOT t.seen AND t.kind = 6
          ORDER BY t.visible_at, t.id LIMIT 1) AS s
    WHERE s.id <> ALL (ids)
    UNION ALL SELECT ids, times, bodies LIMIT 1;
  END IF;
END $duroxide$;

-- Whether something arrived that the holder was not given.
CREATE OR REPLACE FUNCTION {schema}.has_news(
  p_incarnation bigint, p_now bigint, p_offered_at bigint, p_offered_id bigint
) RETURNS boolean LANGUAGE sql STABLE AS $duroxide$
  SELECT EXISTS (
    SELECT FROM {schema}.inbox AS m
    WHERE m.incarnation = p_incarnation AND NOT m.seen AND m.visible_at <= p_now
      AND (m.visible_at > p_offered_at OR m.id > p_offered_id))
$duroxide$;
