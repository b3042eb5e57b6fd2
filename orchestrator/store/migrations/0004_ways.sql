-- Messages with buttons, files and quotes; and where a message was asked to go, when it went another way.

ALTER TABLE outbound
    ADD COLUMN buttons       text[] NOT NULL DEFAULT '{}',
    ADD COLUMN reply_to      text NOT NULL DEFAULT '',
    ADD COLUMN file_url      text NOT NULL DEFAULT '',
    ADD COLUMN file_kind     text NOT NULL DEFAULT '',
    ADD COLUMN asked_channel text NOT NULL DEFAULT '',
    ADD COLUMN asked_chat    text NOT NULL DEFAULT '';
COMMENT ON COLUMN outbound.asked_channel IS
    'the channel without a way back (a form) whose client this reaches on channel; empty: none';

-- What went to the client of a chat that has no way back.
CREATE INDEX outbound_asked ON outbound (asked_channel, asked_chat) WHERE asked_channel <> '';
