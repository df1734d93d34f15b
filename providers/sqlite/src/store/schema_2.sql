-- What an instance waits on, in a phrase for people.
ALTER TABLE instances ADD COLUMN waiting TEXT;
-- What nobody holds of one instance. Work that its commit claims never comes into it.
CREATE INDEX activities_unclaimed ON activities (incarnation, visible_at, seq) WHERE lease IS NULL;
