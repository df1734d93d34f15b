-- session_term: the ownership of its session that an activity was leased under. What was leased
-- before, and not taken over since, was leased under the one that there is.
ALTER TABLE {schema}.activities ADD COLUMN session_term bigint NOT NULL DEFAULT 0;
-- term: the number of its ownership, one more with every change of owner.
ALTER TABLE {schema}.sessions ADD COLUMN term bigint NOT NULL DEFAULT 0;
