-- What happened to a turn and to a message on its way: a row for every lease and every attempt that ended. Triggers
-- write it in the statement that ends one, so that no writer can forget it and none makes a further call. What is
-- still going on stands in turns and outbound themselves.
-- Growth: mostly one row per turn, and one to three per message sent (sent, delivered, read); a message that waits for
-- its vendor counts on in one row. They go with their turn or message.

ALTER TABLE turns ADD COLUMN leased_at timestamptz;
COMMENT ON COLUMN turns.leased_at IS 'when the latest lease began';

CREATE TABLE turn_leases (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    turn_id  bigint NOT NULL REFERENCES turns ON DELETE CASCADE,
    token    bigint NOT NULL,
    agent    text NOT NULL,
    began_at timestamptz,
    ended_at timestamptz NOT NULL,
    outcome  text NOT NULL
);
COMMENT ON COLUMN turn_leases.outcome IS
    'expired: another lease followed; released: given back; else what the turn became (answered, closed, ...)';
CREATE INDEX turn_leases_turn ON turn_leases (turn_id, id);

CREATE FUNCTION journal_lease() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO turn_leases (turn_id, token, agent, began_at, ended_at, outcome) VALUES (
        OLD.id, OLD.lease_token, coalesce(OLD.leased_by, ''), OLD.leased_at,
        CASE WHEN NEW.status = 'leased' THEN coalesce(NEW.leased_at, now())
            ELSE coalesce(NEW.committed_at, NEW.leased_until, now()) END,
        CASE NEW.status WHEN 'leased' THEN 'expired' WHEN 'ready' THEN 'released' ELSE NEW.status END
    );
    RETURN NULL;
END
$$;

CREATE TRIGGER turns_lease_ended AFTER UPDATE ON turns FOR EACH ROW
    WHEN (OLD.status = 'leased' AND (NEW.status <> 'leased' OR NEW.lease_token <> OLD.lease_token))
    EXECUTE FUNCTION journal_lease();

CREATE TABLE outbound_steps (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    outbound_id uuid NOT NULL REFERENCES outbound ON DELETE CASCADE,
    attempt     integer NOT NULL,
    began_at    timestamptz,
    ended_at    timestamptz NOT NULL,
    outcome     text NOT NULL,
    code        text NOT NULL DEFAULT '',
    detail      text NOT NULL DEFAULT '',
    times       integer NOT NULL DEFAULT 1
);
COMMENT ON COLUMN outbound_steps.outcome IS
    'of an attempt (began_at is set): sent, retry, waiting (its turn had not come), interrupted (the worker died), failed, unknown; else the state it went to: requeued, delivered, read, cancelled, ...';
COMMENT ON COLUMN outbound_steps.times IS 'so many in a row for the same reason, the last one at ended_at';
CREATE INDEX outbound_steps_outbound ON outbound_steps (outbound_id, id);

CREATE FUNCTION journal_outbound() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    tried   boolean := OLD.state = 'sending';
    outcome text := CASE
        WHEN tried AND NEW.state = 'sending' THEN 'interrupted'
        WHEN tried AND NEW.attempts < OLD.attempts AND NEW.state IN ('queued', 'unknown') THEN 'waiting'
        WHEN tried AND NEW.state = 'queued' THEN 'retry'
        WHEN NEW.state = 'queued' THEN 'requeued'
        ELSE NEW.state END;
BEGIN
    IF outcome = 'waiting' THEN
        UPDATE outbound_steps AS s
        SET times = s.times + 1, ended_at = NEW.updated_at, detail = NEW.error_detail
        WHERE s.id = (SELECT max(id) FROM outbound_steps WHERE outbound_id = NEW.id)
            AND s.outcome = 'waiting' AND s.code = NEW.error_code;
        IF FOUND THEN
            RETURN NULL;
        END IF;
    END IF;
    INSERT INTO outbound_steps (outbound_id, attempt, began_at, ended_at, outcome, code, detail) VALUES (
        NEW.id, OLD.attempts, CASE WHEN tried THEN OLD.updated_at END, NEW.updated_at, outcome,
        CASE WHEN tried AND NEW.state <> 'sending' THEN NEW.error_code ELSE '' END,
        CASE WHEN tried AND NEW.state <> 'sending' THEN NEW.error_detail ELSE '' END
    );
    RETURN NULL;
END
$$;

CREATE TRIGGER outbound_stepped AFTER UPDATE ON outbound FOR EACH ROW
    WHEN ((OLD.state = 'sending' AND (NEW.state <> 'sending' OR NEW.attempts <> OLD.attempts))
        OR (NEW.state <> OLD.state AND NEW.state <> 'sending'))
    EXECUTE FUNCTION journal_outbound();

ALTER TABLE messages_history
    ADD COLUMN received_at timestamptz,
    ADD COLUMN gathered_at timestamptz,
    ADD COLUMN due_at      timestamptz;
COMMENT ON COLUMN messages_history.received_at IS 'when our webhook had it; null: another producer, or our own words';
COMMENT ON COLUMN messages_history.gathered_at IS 'when the first message of its batch was collected';
COMMENT ON COLUMN messages_history.due_at IS 'when the gathering of its batch ended';
