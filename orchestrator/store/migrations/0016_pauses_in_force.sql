-- Most pauses are over by their time and stay as rows that nobody ended: what looks for those in force, every second,
-- must not go through all of them.

DROP INDEX pauses_open;
CREATE INDEX pauses_in_force ON pauses (coalesce(until, 'infinity')) WHERE ended_at IS NULL;
