-- Who writes to us. `identities` is the truth; the per-channel columns of `clients` follow it.
-- Growth: one row per person and one per handle; nothing here grows with traffic.

CREATE TABLE clients (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name         text,
    phone        text,
    email        text,
    telegram_id  text,
    avito_id     text,
    vk_id        text,
    whatsapp_id  text,
    max_id       text,
    instagram_id text,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now()
);

-- find_clients: a client by a phone that a form or a vendor attests.
CREATE INDEX clients_phone ON clients (phone, id) WHERE phone IS NOT NULL;

CREATE TABLE identities (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    client_id        bigint NOT NULL REFERENCES clients ON DELETE CASCADE,
    channel          text NOT NULL,
    account          text NOT NULL,
    external_user_id text NOT NULL,
    evidence         text NOT NULL,
    created_at       timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT identities_handle UNIQUE (channel, account, external_user_id)
);

CREATE INDEX identities_client ON identities (client_id, channel, account);

-- A client with several handles on one channel shows that of the default account, else the oldest.
CREATE FUNCTION clients_follow_identities() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE clients AS c
    SET telegram_id = h.telegram, avito_id = h.avito, vk_id = h.vk, whatsapp_id = h.whatsapp,
        max_id = h.max, instagram_id = h.instagram, updated_at = now()
    FROM (
        SELECT touched.client_id,
            (array_agg(i.external_user_id ORDER BY i.account <> 'default', i.id)
                FILTER (WHERE i.channel = 'telegram'))[1] AS telegram,
            (array_agg(i.external_user_id ORDER BY i.account <> 'default', i.id)
                FILTER (WHERE i.channel = 'avito'))[1] AS avito,
            (array_agg(i.external_user_id ORDER BY i.account <> 'default', i.id)
                FILTER (WHERE i.channel = 'vk'))[1] AS vk,
            (array_agg(i.external_user_id ORDER BY i.account <> 'default', i.id)
                FILTER (WHERE i.channel = 'whatsapp'))[1] AS whatsapp,
            (array_agg(i.external_user_id ORDER BY i.account <> 'default', i.id)
                FILTER (WHERE i.channel = 'max'))[1] AS max,
            (array_agg(i.external_user_id ORDER BY i.account <> 'default', i.id)
                FILTER (WHERE i.channel = 'instagram'))[1] AS instagram
        FROM (SELECT DISTINCT client_id FROM changed) AS touched
        LEFT JOIN identities AS i ON i.client_id = touched.client_id
        GROUP BY touched.client_id
    ) AS h
    WHERE c.id = h.client_id
      AND (c.telegram_id, c.avito_id, c.vk_id, c.whatsapp_id, c.max_id, c.instagram_id)
          IS DISTINCT FROM (h.telegram, h.avito, h.vk, h.whatsapp, h.max, h.instagram);
    RETURN NULL;
END
$$;

CREATE TRIGGER identities_inserted AFTER INSERT ON identities
    REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION clients_follow_identities();
CREATE TRIGGER identities_deleted AFTER DELETE ON identities
    REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION clients_follow_identities();
-- An update moves a handle from one client to another: both are recomputed.
CREATE TRIGGER identities_updated_from AFTER UPDATE ON identities
    REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION clients_follow_identities();
CREATE TRIGGER identities_updated_to AFTER UPDATE ON identities
    REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION clients_follow_identities();
