-- What has changed of what agents may watch: a row for each change, written by the statement that makes it, so that no
-- writer can forget one and none makes a further transaction. A replica takes the rows and tells who listens.
-- Growth: none. Rows live for half a second; unlogged, since a hint is worth no disk: a crash of the database loses
-- those that were not told.

CREATE UNLOGGED TABLE resource_changes (
    kind    text NOT NULL,
    channel text NOT NULL DEFAULT '',
    account text NOT NULL DEFAULT '',
    name    text NOT NULL,
    CONSTRAINT resource_changes_kind CHECK (kind IN ('appeal', 'chat', 'client'))
);
COMMENT ON TABLE resource_changes IS 'without a key: the same change may stand in it many times, and is told once';

-- Messages: their chat and case. Ids of what was sent, edits, deletions and reactions are updates.
CREATE FUNCTION tell_of_messages() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO resource_changes (kind, channel, account, name)
    SELECT DISTINCT 'chat', m.channel, m.account, m.external_chat_id FROM changed AS m
    UNION ALL
    SELECT DISTINCT 'appeal', '', '', m.appeal_id::text FROM changed AS m WHERE m.appeal_id IS NOT NULL;
    RETURN NULL;
END
$$;

CREATE TRIGGER messages_written_told AFTER INSERT ON messages_history
    REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION tell_of_messages();
CREATE TRIGGER messages_changed_told AFTER UPDATE ON messages_history
    REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION tell_of_messages();

-- The case of a row: of a note, and the one that a message has left.
CREATE FUNCTION tell_of_its_case() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO resource_changes (kind, name)
    VALUES ('appeal', CASE TG_OP WHEN 'UPDATE' THEN OLD.appeal_id ELSE NEW.appeal_id END::text);
    RETURN NULL;
END
$$;

CREATE TRIGGER messages_left_told AFTER UPDATE ON messages_history FOR EACH ROW
    WHEN (OLD.appeal_id IS NOT NULL AND OLD.appeal_id IS DISTINCT FROM NEW.appeal_id)
    EXECUTE FUNCTION tell_of_its_case();
CREATE TRIGGER notes_told AFTER INSERT ON appeal_notes FOR EACH ROW EXECUTE FUNCTION tell_of_its_case();

-- A case, and the client who shows it.
CREATE FUNCTION tell_of_case() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        INSERT INTO resource_changes (kind, name) VALUES ('appeal', OLD.id::text);
        IF TG_OP = 'DELETE' OR (OLD.client_id, OLD.status) IS DISTINCT FROM (NEW.client_id, NEW.status) THEN
            INSERT INTO resource_changes (kind, name) VALUES ('client', OLD.client_id::text);
        END IF;
    END IF;
    IF TG_OP = 'INSERT' OR (TG_OP = 'UPDATE' AND OLD.client_id <> NEW.client_id) THEN
        INSERT INTO resource_changes (kind, name) VALUES ('client', NEW.client_id::text);
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER appeals_told AFTER INSERT OR UPDATE OR DELETE ON appeals
    FOR EACH ROW EXECUTE FUNCTION tell_of_case();

-- What became of our own words, and who has a conversation.
CREATE FUNCTION tell_of_its_chat() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO resource_changes (kind, channel, account, name)
    VALUES ('chat', NEW.channel, NEW.account, NEW.external_chat_id);
    RETURN NULL;
END
$$;

CREATE TRIGGER outbound_told AFTER UPDATE ON outbound FOR EACH ROW
    WHEN (OLD.state <> NEW.state) EXECUTE FUNCTION tell_of_its_chat();
CREATE TRIGGER pauses_told AFTER INSERT ON pauses FOR EACH ROW EXECUTE FUNCTION tell_of_its_chat();
CREATE TRIGGER pauses_changed_told AFTER UPDATE ON pauses FOR EACH ROW
    WHEN (OLD.version <> NEW.version) EXECUTE FUNCTION tell_of_its_chat();

-- A client; whoever shows the name or the phone: their cases and the chats of these.
CREATE FUNCTION tell_of_client() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO resource_changes (kind, name) VALUES ('client', NEW.id::text);
        RETURN NULL;
    END IF;
    INSERT INTO resource_changes (kind, name) VALUES ('client', OLD.id::text);
    IF TG_OP = 'UPDATE' AND (OLD.name, OLD.phone) IS DISTINCT FROM (NEW.name, NEW.phone) THEN
        INSERT INTO resource_changes (kind, channel, account, name)
        SELECT 'appeal', '', '', a.id::text FROM appeals AS a WHERE a.client_id = NEW.id
        UNION ALL
        SELECT 'chat', a.channel, a.account, a.external_chat_id FROM appeals AS a WHERE a.client_id = NEW.id;
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER clients_told AFTER INSERT OR DELETE ON clients FOR EACH ROW EXECUTE FUNCTION tell_of_client();
CREATE TRIGGER clients_changed_told AFTER UPDATE ON clients FOR EACH ROW
    WHEN ((to_jsonb(OLD) - 'updated_at') IS DISTINCT FROM (to_jsonb(NEW) - 'updated_at'))
    EXECUTE FUNCTION tell_of_client();

-- What is known of a client: handles and facts. That a fact was told once more changes little.
CREATE FUNCTION tell_of_its_client() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        INSERT INTO resource_changes (kind, name) VALUES ('client', OLD.client_id::text);
    END IF;
    IF TG_OP = 'INSERT' OR (TG_OP = 'UPDATE' AND OLD.client_id <> NEW.client_id) THEN
        INSERT INTO resource_changes (kind, name) VALUES ('client', NEW.client_id::text);
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER identities_told AFTER INSERT OR UPDATE OR DELETE ON identities
    FOR EACH ROW EXECUTE FUNCTION tell_of_its_client();
CREATE TRIGGER facts_told AFTER INSERT OR DELETE ON client_facts
    FOR EACH ROW EXECUTE FUNCTION tell_of_its_client();
CREATE TRIGGER facts_changed_told AFTER UPDATE ON client_facts FOR EACH ROW
    WHEN ((to_jsonb(OLD) - 'last_at') IS DISTINCT FROM (to_jsonb(NEW) - 'last_at'))
    EXECUTE FUNCTION tell_of_its_client();

-- Files and the words of voice notes, which come after their message.
CREATE FUNCTION tell_of_files() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_TABLE_NAME = 'media' THEN
        INSERT INTO resource_changes (kind, channel, account, name)
        SELECT 'chat', m.channel, m.account, m.external_chat_id FROM messages_history AS m WHERE m.id = NEW.message_id
        UNION ALL
        SELECT 'appeal', '', '', m.appeal_id::text FROM messages_history AS m
        WHERE m.id = NEW.message_id AND m.appeal_id IS NOT NULL;
    ELSE
        INSERT INTO resource_changes (kind, channel, account, name)
        SELECT 'chat', m.channel, m.account, m.external_chat_id
        FROM media AS f JOIN messages_history AS m ON m.id = f.message_id WHERE f.content_hash = NEW.hash
        UNION ALL
        SELECT 'appeal', '', '', m.appeal_id::text
        FROM media AS f JOIN messages_history AS m ON m.id = f.message_id
        WHERE f.content_hash = NEW.hash AND m.appeal_id IS NOT NULL;
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER media_told AFTER UPDATE ON media FOR EACH ROW
    WHEN (OLD.state <> NEW.state) EXECUTE FUNCTION tell_of_files();
CREATE TRIGGER contents_told AFTER UPDATE ON contents FOR EACH ROW
    WHEN (OLD.transcript_state <> NEW.transcript_state) EXECUTE FUNCTION tell_of_files();
