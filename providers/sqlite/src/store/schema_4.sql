-- The number of its ownership: one more with every change of owner.
ALTER TABLE sessions ADD COLUMN term INTEGER NOT NULL DEFAULT 0;
-- The ownership of its session that an activity was leased under. What was leased before, and not
-- taken over since, was leased under the one that there is.
ALTER TABLE activities ADD COLUMN session_term INTEGER NOT NULL DEFAULT 0;
