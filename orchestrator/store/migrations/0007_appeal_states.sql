-- The life of a case: docs/appeals.md draws it.

ALTER TABLE appeals
    ADD COLUMN priority      text NOT NULL DEFAULT 'normal',
    ADD COLUMN tags          text[] NOT NULL DEFAULT '{}',
    ADD COLUMN snoozed_until timestamptz,
    ADD COLUMN reopened_at   timestamptz,
    ADD COLUMN reopen_count  integer NOT NULL DEFAULT 0,
    ADD COLUMN reopenable    boolean NOT NULL DEFAULT true,
    DROP CONSTRAINT appeals_status,
    ADD CONSTRAINT appeals_status
        CHECK (status IN ('open', 'waiting_client', 'snoozed', 'handed_off', 'resolved')),
    ADD CONSTRAINT appeals_priority CHECK (priority IN ('low', 'normal', 'high', 'urgent')),
    ADD CONSTRAINT appeals_snoozed CHECK (status <> 'snoozed' OR snoozed_until IS NOT NULL);
COMMENT ON COLUMN appeals.reopenable IS 'false: it goes on as another case, so a message does not reopen it';

-- What was continued elsewhere before this version.
UPDATE appeals SET reopenable = false WHERE close_reason LIKE 'continued in %';

-- A message soon after the end reopens: the latest case of a client on an account.
CREATE INDEX appeals_last_closed ON appeals (client_id, channel, account, closed_at) WHERE closed_at IS NOT NULL;
-- The clockwork: what wakes, and what has been at rest for long.
CREATE INDEX appeals_snoozed_until ON appeals (snoozed_until) WHERE status = 'snoozed';
CREATE INDEX appeals_resting ON appeals (updated_at) WHERE status IN ('open', 'waiting_client');

-- The journal. Growth: a row per change of status, as long as its case.
CREATE TABLE appeal_events (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    appeal_id   bigint NOT NULL REFERENCES appeals ON DELETE CASCADE,
    at          timestamptz NOT NULL,
    actor       text NOT NULL,
    event       text NOT NULL,
    from_status text NOT NULL,
    to_status   text NOT NULL,
    reason      text NOT NULL DEFAULT ''
);
COMMENT ON COLUMN appeal_events.from_status IS 'empty: the case was opened';
CREATE INDEX appeal_events_appeal ON appeal_events (appeal_id, id);

-- Notes are for colleagues: nothing sends them.
CREATE TABLE appeal_notes (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    appeal_id bigint NOT NULL REFERENCES appeals ON DELETE CASCADE,
    at        timestamptz NOT NULL,
    author    text NOT NULL,
    text      text NOT NULL
);
CREATE INDEX appeal_notes_appeal ON appeal_notes (appeal_id, id);
