-- Whom we still have to tell that a turn waits. A row per way and turn on offer: it is made after the fact, from
-- the turns themselves, so that no crash forgets one, and goes when the turn is finished.

CREATE TABLE turn_notices (
    turn_id   bigint NOT NULL REFERENCES turns ON DELETE CASCADE,
    way       text NOT NULL,
    offer     text NOT NULL,
    notice_id uuid NOT NULL DEFAULT gen_random_uuid(),
    attempts  integer NOT NULL DEFAULT 0,
    due_at    timestamptz NOT NULL,
    done_at   timestamptz,
    error     text NOT NULL DEFAULT '',
    PRIMARY KEY (turn_id, way),
    CONSTRAINT turn_notices_way CHECK (way IN ('redis', 'webhook'))
);
COMMENT ON COLUMN turn_notices.offer IS 'the lease token and the newest message with which the turn is on offer';
COMMENT ON COLUMN turn_notices.notice_id IS 'the same for every attempt; a new offer of the turn has another one';
COMMENT ON COLUMN turn_notices.due_at IS 'when it is told (again); while one tells it, when another may';

CREATE INDEX turn_notices_due ON turn_notices (way, due_at) WHERE done_at IS NULL;

-- The agent's webhook, by the SHA-256 of its address: another address begins anew.
CREATE TABLE agent_webhooks (
    mark        text PRIMARY KEY,
    disabled_at timestamptz,
    failed_at   timestamptz,
    error       text NOT NULL DEFAULT ''
);
COMMENT ON COLUMN agent_webhooks.disabled_at IS 'it answered 410 Gone: nothing is sent until an operator enables it';
