-- Files of customers. `contents`: what the content store holds, once however many messages brought it, and the
-- words of a voice note. `media`: each file of a message, where it comes from and what became of it.
-- Growth: a row per file; erasure deletes the rows of a client's messages, retention empties them.

CREATE TABLE contents (
    hash                text PRIMARY KEY,
    size                bigint NOT NULL,
    media_type          text NOT NULL,
    stored_at           timestamptz NOT NULL,
    busy_until          timestamptz NOT NULL,
    transcript_state    text NOT NULL DEFAULT 'none',
    transcript          text NOT NULL DEFAULT '',
    transcript_reason   text NOT NULL DEFAULT '',
    transcript_attempts integer NOT NULL DEFAULT 0,
    transcript_due_at   timestamptz,
    CONSTRAINT contents_hash CHECK (hash ~ '^[0-9a-f]{64}$'),
    CONSTRAINT contents_transcript CHECK (transcript_state IN ('none', 'waiting', 'done', 'failed')),
    CONSTRAINT contents_transcript_due CHECK
        ((transcript_state = 'waiting') = (transcript_due_at IS NOT NULL))
);
COMMENT ON COLUMN contents.hash IS 'sha256 of the bytes: their name in the content store';
COMMENT ON COLUMN contents.busy_until IS 'somebody may be writing the bytes until then: nobody deletes them before';
COMMENT ON COLUMN contents.transcript_state IS 'none: it was never asked for';

-- claim_transcripts; only those that wait.
CREATE INDEX contents_transcript_due ON contents (transcript_due_at) WHERE transcript_state = 'waiting';
-- Retention: the oldest first.
CREATE INDEX contents_stored ON contents (stored_at);

-- Whose a file is, is told by its message: so a merge of clients has nothing to do here.
CREATE TABLE media (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    message_id   bigint NOT NULL REFERENCES messages_history ON DELETE CASCADE,
    source       text NOT NULL,
    kind         text NOT NULL,
    source_url   text NOT NULL DEFAULT '',
    file_id      text NOT NULL DEFAULT '',
    name         text NOT NULL DEFAULT '',
    state        text NOT NULL DEFAULT 'waiting',
    reason       text NOT NULL DEFAULT '',
    attempts     integer NOT NULL DEFAULT 0,
    due_at       timestamptz NOT NULL,
    content_hash text REFERENCES contents,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    CONSTRAINT media_source UNIQUE (message_id, source),
    CONSTRAINT media_kind CHECK (kind IN ('image', 'voice', 'video', 'document')),
    CONSTRAINT media_state CHECK (state IN
        ('waiting', 'stored', 'failed', 'too_large', 'refused_type', 'refused_address', 'expired', 'removed')),
    CONSTRAINT media_stored CHECK ((state = 'stored') = (content_hash IS NOT NULL)),
    CONSTRAINT media_from CHECK (source_url <> '' OR file_id <> '')
);
COMMENT ON COLUMN media.source IS 'sha256 of file_id, else of source_url: which file of the message it is';
COMMENT ON COLUMN media.due_at IS 'when a waiting file is fetched next; while somebody fetches it, when their lease ends';
COMMENT ON COLUMN media.state IS
    'waiting, stored, or why it is not: failed, too_large, refused_type, refused_address, expired; removed: by retention';

CREATE INDEX media_due ON media (due_at) WHERE state = 'waiting';
CREATE INDEX media_content ON media (content_hash) WHERE content_hash IS NOT NULL;
