-- What was said: appeals (support cases), turns (what the agent answers at once), messages.

CREATE TABLE appeals (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    client_id        bigint NOT NULL REFERENCES clients,
    channel          text NOT NULL,
    account          text NOT NULL,
    external_chat_id text NOT NULL,
    status           text NOT NULL DEFAULT 'open',
    ad_id            text,
    ad_title         text,
    ad_price         text,
    ad_url           text,
    opened_at        timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL,
    closed_at        timestamptz,
    close_reason     text,
    CONSTRAINT appeals_status CHECK (status IN ('open', 'resolved')),
    CONSTRAINT appeals_closed CHECK ((status = 'resolved') = (closed_at IS NOT NULL))
);
COMMENT ON COLUMN appeals.external_chat_id IS 'the chat of the latest message: where a reply goes';

-- At most one open case. On closed_at, not on status, so that later open states are covered.
CREATE UNIQUE INDEX appeals_one_open ON appeals (client_id, channel, account) WHERE closed_at IS NULL;
-- list_appeals, latest change first, per status.
CREATE INDEX appeals_listed ON appeals (status, updated_at, id);
CREATE INDEX appeals_client ON appeals (client_id);

CREATE TABLE turns (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    appeal_id         bigint NOT NULL REFERENCES appeals,
    client_id         bigint NOT NULL REFERENCES clients,
    channel           text NOT NULL,
    account           text NOT NULL,
    external_chat_id  text NOT NULL,
    status            text NOT NULL DEFAULT 'ready',
    first_at          timestamptz NOT NULL,
    last_at           timestamptz NOT NULL,
    closed_by         text NOT NULL,
    created_at        timestamptz NOT NULL,
    lease_token       bigint NOT NULL DEFAULT 0,
    leased_by         text,
    leased_until      timestamptz,
    attempts          integer NOT NULL DEFAULT 0,
    latest_message_id bigint,
    committed_at      timestamptz,
    outbound_id       uuid,
    CONSTRAINT turns_status CHECK (status IN ('ready', 'leased', 'answered', 'closed', 'merged')),
    CONSTRAINT turns_lease CHECK (status <> 'leased' OR (leased_by IS NOT NULL AND leased_until IS NOT NULL))
);
COMMENT ON COLUMN turns.closed_by IS 'why the gathering of the messages ended: silence, longest, count';
COMMENT ON COLUMN turns.status IS 'answered: replied; closed: no reply needed; merged: its messages moved to another turn';

-- A chat has at most one turn that waits and one that is worked on. Both indexes, and turns_open, hold
-- unfinished turns only: they stay small however many turns there have been.
CREATE UNIQUE INDEX turns_one_ready ON turns (channel, account, external_chat_id) WHERE status = 'ready';
CREATE UNIQUE INDEX turns_one_leased ON turns (channel, account, external_chat_id) WHERE status = 'leased';
CREATE INDEX turns_open ON turns (coalesce(leased_until, created_at), id) WHERE status IN ('ready', 'leased');
CREATE INDEX turns_appeal ON turns (appeal_id);
CREATE INDEX turns_client ON turns (client_id);

-- Growth: a row per message, for ever; erasure of a client (and any retention) deletes by client_id.
CREATE TABLE messages_history (
    id                  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    client_id           bigint NOT NULL REFERENCES clients,
    appeal_id           bigint REFERENCES appeals,
    turn_id             bigint REFERENCES turns,
    channel             text NOT NULL,
    account             text NOT NULL,
    external_chat_id    text NOT NULL,
    external_message_id text,
    direction           text NOT NULL,
    sender              text NOT NULL,
    event               text NOT NULL,
    message_type        text NOT NULL,
    message_text        text NOT NULL DEFAULT '',
    media               jsonb NOT NULL DEFAULT '{}',
    meta                jsonb NOT NULL DEFAULT '{}',
    reply_to            text,
    sent_at             timestamptz NOT NULL,
    created_at          timestamptz NOT NULL,
    edited_at           timestamptz,
    deleted_at          timestamptz,
    outbound_id         uuid,
    CONSTRAINT messages_direction CHECK (direction IN ('in', 'out')),
    CONSTRAINT messages_sender CHECK (sender IN ('customer', 'agent', 'operator', 'system')),
    CONSTRAINT messages_turn CHECK (turn_id IS NULL OR sender = 'customer'),
    -- The chat is part of it: Telegram numbers its messages per chat.
    CONSTRAINT messages_vendor_id UNIQUE (channel, account, external_chat_id, external_message_id)
);
COMMENT ON COLUMN messages_history.turn_id IS 'the one turn a customer''s message is in; null for all others';
COMMENT ON COLUMN messages_history.external_message_id IS 'null for an outgoing message that is not sent yet';
COMMENT ON COLUMN messages_history.appeal_id IS 'null when nobody had a case open (an operator wrote first)';

CREATE INDEX messages_chat ON messages_history (channel, account, external_chat_id, id);
CREATE INDEX messages_appeal ON messages_history (appeal_id, id);
CREATE INDEX messages_turn_of ON messages_history (turn_id, id) WHERE turn_id IS NOT NULL;
CREATE INDEX messages_outbound ON messages_history (outbound_id) WHERE outbound_id IS NOT NULL;
CREATE INDEX messages_client ON messages_history (client_id);
