-- What we send: the outbox. A row is written in the transaction that accepts the message, and pushed
-- to Redis afterwards (queued_at). Growth: a row per message sent; the partial indexes hold open ones only.

CREATE TABLE outbound (
    id                 uuid PRIMARY KEY,
    seq                bigint GENERATED ALWAYS AS IDENTITY,
    origin             text NOT NULL,
    turn_id            bigint REFERENCES turns,
    appeal_id          bigint REFERENCES appeals,
    client_id          bigint REFERENCES clients,
    channel            text NOT NULL,
    account            text NOT NULL,
    external_chat_id   text NOT NULL,
    text               text NOT NULL DEFAULT '',
    image_url          text NOT NULL DEFAULT '',
    state              text NOT NULL DEFAULT 'queued',
    attempts           integer NOT NULL DEFAULT 0,
    error_code         text NOT NULL DEFAULT '',
    error_detail       text NOT NULL DEFAULT '',
    vendor_message_ids text[] NOT NULL DEFAULT '{}',
    created_at         timestamptz NOT NULL,
    updated_at         timestamptz NOT NULL,
    queued_at          timestamptz,
    sent_at            timestamptz,
    CONSTRAINT outbound_origin CHECK (origin IN ('reply', 'tool', 'rest', 'list')),
    CONSTRAINT outbound_reply CHECK (origin <> 'reply' OR turn_id IS NOT NULL),
    CONSTRAINT outbound_state CHECK
        (state IN ('queued', 'sending', 'sent', 'delivered', 'read', 'failed', 'unknown'))
);
COMMENT ON COLUMN outbound.queued_at IS 'when it was pushed to queue:outgoing; null: the relay has it to do';

CREATE UNIQUE INDEX outbound_one_reply ON outbound (turn_id) WHERE origin = 'reply';
CREATE INDEX outbound_unqueued ON outbound (seq) WHERE queued_at IS NULL AND state = 'queued';
CREATE INDEX outbound_unfinished ON outbound (queued_at) WHERE state IN ('queued', 'sending', 'unknown');
CREATE INDEX outbound_chat ON outbound (channel, account, external_chat_id, seq);
CREATE INDEX outbound_client ON outbound (client_id) WHERE client_id IS NOT NULL;
CREATE INDEX outbound_appeal ON outbound (appeal_id) WHERE appeal_id IS NOT NULL;
