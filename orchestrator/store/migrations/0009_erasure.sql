-- Who asked to be forgotten. A mark is a salted hash of a handle, a chat or a delivery: it recognises what was
-- written before the erasure when it comes once more, and tells nobody who it was.
-- Growth: some marks per erased client, kept for ever.

CREATE TABLE erasure_salt (
    one  boolean PRIMARY KEY DEFAULT true CHECK (one),
    salt bytea NOT NULL
);
INSERT INTO erasure_salt (salt) VALUES (uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()));

CREATE TABLE erasure_marks (
    mark      bytea PRIMARY KEY,
    erased_at timestamptz NOT NULL
);

CREATE FUNCTION erasure_mark(name text) RETURNS bytea LANGUAGE sql STABLE AS $$
    SELECT sha256(salt || convert_to(name, 'UTF8')) FROM erasure_salt
$$;

CREATE TABLE erasures (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    client_id   bigint NOT NULL,
    asked_by    text NOT NULL DEFAULT '',
    started_at  timestamptz NOT NULL,
    finished_at timestamptz,
    counts      jsonb NOT NULL DEFAULT '{}'
);
COMMENT ON TABLE erasures IS 'proof that somebody was erased, without who; unfinished ones are to be repeated';
CREATE UNIQUE INDEX erasures_unfinished ON erasures (client_id) WHERE finished_at IS NULL;
