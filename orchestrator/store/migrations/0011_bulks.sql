-- One text, or one each, to many chats. Every message of it is a row of outbound; this says what was asked.

CREATE TABLE bulks (
    id           uuid PRIMARY KEY,
    channel      text NOT NULL,
    account      text NOT NULL,
    digest       text NOT NULL,
    total        integer NOT NULL,
    refused      jsonb NOT NULL DEFAULT '[]',
    asked_by     text NOT NULL DEFAULT '',
    created_at   timestamptz NOT NULL,
    cancelled_at timestamptz
);
COMMENT ON COLUMN bulks.digest IS 'of what was asked: the same key with other content is a conflict';
COMMENT ON COLUMN bulks.refused IS 'chats that got no message: [{chat_id, reason}]';

ALTER TABLE outbound ADD COLUMN bulk_id uuid REFERENCES bulks;
CREATE INDEX outbound_bulk ON outbound (bulk_id, state) WHERE bulk_id IS NOT NULL;
