-- What 0019 left untold, and what it told although nobody can see it.

-- Rows come and go all day, and who takes some passes what is dead: it is cleared away before it is much.
ALTER TABLE resource_changes SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

-- Words that were not said after all, or that were our own, taken for an operator's, are no history.
CREATE TRIGGER messages_forgotten_told AFTER DELETE ON messages_history
    REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION tell_of_messages();

-- A case itself. When to look at it again is nobody's business but ours.
DROP TRIGGER appeals_told ON appeals;
DROP FUNCTION tell_of_case();
CREATE FUNCTION tell_of_case() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO resource_changes (kind, name) VALUES ('appeal', OLD.id::text);
    RETURN NULL;
END
$$;

CREATE TRIGGER appeals_told AFTER DELETE ON appeals FOR EACH ROW EXECUTE FUNCTION tell_of_case();
CREATE TRIGGER appeals_changed_told AFTER UPDATE ON appeals FOR EACH ROW
    WHEN ((to_jsonb(OLD) - 'look_again_at') IS DISTINCT FROM (to_jsonb(NEW) - 'look_again_at'))
    EXECUTE FUNCTION tell_of_case();

-- The client of a case, who shows its line.
CREATE FUNCTION tell_client_of_case() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO resource_changes (kind, name)
    SELECT DISTINCT 'client', id::text FROM unnest(ARRAY[OLD.client_id, NEW.client_id]) AS id WHERE id IS NOT NULL;
    RETURN NULL;
END
$$;

CREATE TRIGGER cases_of_clients_told AFTER INSERT OR DELETE ON appeals
    FOR EACH ROW EXECUTE FUNCTION tell_client_of_case();
CREATE TRIGGER cases_of_clients_changed_told AFTER UPDATE ON appeals FOR EACH ROW
    WHEN (
        (OLD.client_id, OLD.channel, OLD.account, OLD.external_chat_id, OLD.status, OLD.priority, OLD.tags,
            OLD.snoozed_until, OLD.ad_title)
        IS DISTINCT FROM
        (NEW.client_id, NEW.channel, NEW.account, NEW.external_chat_id, NEW.status, NEW.priority, NEW.tags,
            NEW.snoozed_until, NEW.ad_title)
    )
    EXECUTE FUNCTION tell_client_of_case();

-- The client's chats where the case is or was the open one: each shows its number.
CREATE FUNCTION tell_chats_of_case() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO resource_changes (kind, channel, account, name)
    SELECT DISTINCT 'chat', m.channel, m.account, m.external_chat_id FROM messages_history AS m
    WHERE m.client_id IN (OLD.client_id, NEW.client_id)
        AND (m.channel, m.account) IN ((OLD.channel, OLD.account), (NEW.channel, NEW.account));
    RETURN NULL;
END
$$;

CREATE TRIGGER cases_of_chats_told AFTER INSERT OR DELETE ON appeals
    FOR EACH ROW EXECUTE FUNCTION tell_chats_of_case();
CREATE TRIGGER cases_of_chats_changed_told AFTER UPDATE ON appeals FOR EACH ROW
    WHEN (
        (OLD.client_id, OLD.channel, OLD.account, OLD.closed_at IS NULL)
        IS DISTINCT FROM
        (NEW.client_id, NEW.channel, NEW.account, NEW.closed_at IS NULL)
    )
    EXECUTE FUNCTION tell_chats_of_case();

-- A name stands in every chat of its client; 0019 tells the latest chats of their cases.
CREATE FUNCTION tell_chats_of_client() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO resource_changes (kind, channel, account, name)
    SELECT DISTINCT 'chat', channel, account, external_chat_id FROM messages_history WHERE client_id = NEW.id;
    RETURN NULL;
END
$$;

CREATE TRIGGER names_of_chats_told AFTER UPDATE ON clients FOR EACH ROW
    WHEN (OLD.name IS DISTINCT FROM NEW.name) EXECUTE FUNCTION tell_chats_of_client();
