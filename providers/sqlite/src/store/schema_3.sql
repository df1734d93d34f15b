-- Who holds an activity: several nodes may share a handle.
ALTER TABLE activities ADD COLUMN node TEXT;
-- How many sessions their owner may own. Without it nobody waits for room.
ALTER TABLE sessions ADD COLUMN node_max INTEGER;
