-- A person has a conversation: the AI is silent there until the pause ends. Growth: a row per conversation that
-- was ever taken over.

CREATE TABLE pauses (
    channel          text NOT NULL,
    account          text NOT NULL,
    external_chat_id text NOT NULL,
    cause            text NOT NULL,
    paused_by        text NOT NULL DEFAULT '',
    reason           text NOT NULL DEFAULT '',
    started_at       timestamptz NOT NULL,
    until            timestamptz,
    ended_at         timestamptz,
    ended_by         text NOT NULL DEFAULT '',
    operator_at      timestamptz,
    word_id          text NOT NULL DEFAULT '',
    version          bigint NOT NULL,
    mirrored_version bigint NOT NULL DEFAULT 0,
    mirrored_at      timestamptz,
    PRIMARY KEY (channel, account, external_chat_id),
    CONSTRAINT pauses_cause CHECK (cause IN ('hand_off', 'operator_message', 'operator_sent', 'command'))
);
COMMENT ON TABLE pauses IS 'in force while ended_at is null and until is null or to come';
COMMENT ON COLUMN pauses.until IS 'when it ends by itself; null: until somebody resumes';
COMMENT ON COLUMN pauses.ended_at IS 'when somebody ended it; one whose time is up ends without it';
COMMENT ON COLUMN pauses.operator_at IS 'the operator''s last word in the messenger''s own app';
COMMENT ON COLUMN pauses.word_id IS 'the id of that word at the messenger';
COMMENT ON COLUMN pauses.version IS 'grows with every change, also over an erased row; Redis keeps the highest';
COMMENT ON COLUMN pauses.mirrored_version IS 'which version the channels were told of';

-- The mending of Redis looks for these two kinds of rows.
CREATE INDEX pauses_untold ON pauses (version) WHERE mirrored_version < version;
CREATE INDEX pauses_open ON pauses (mirrored_at) WHERE ended_at IS NULL;

ALTER TABLE turns
    ADD COLUMN taken_over_at timestamptz,
    ADD COLUMN taken_token bigint,
    ADD COLUMN handled_by text,
    DROP CONSTRAINT turns_status,
    ADD CONSTRAINT turns_status CHECK (status IN ('ready', 'leased', 'answered', 'closed', 'merged', 'handled'));
COMMENT ON COLUMN turns.status IS
    'answered: replied; closed: no reply needed; merged: moved to another turn; handled: an operator answered';
COMMENT ON COLUMN turns.taken_token IS 'the lease that a take-over ended: its holder is told what happened';
COMMENT ON COLUMN turns.handled_by IS 'handled: the id of the operator''s word; empty: it was sent through the hub';

ALTER TABLE outbound
    ADD COLUMN sender text NOT NULL DEFAULT 'agent',
    ADD CONSTRAINT outbound_sender CHECK (sender IN ('agent', 'operator'));
COMMENT ON COLUMN outbound.sender IS 'who speaks; an operator may write while the AI is paused';
