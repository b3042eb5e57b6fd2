-- name: lock_keys
-- Taken in one order by everybody, so that nobody waits in a circle; held until the transaction ends.
SELECT pg_advisory_xact_lock(key) FROM (
    SELECT DISTINCT hashtextextended(name, 0) AS key FROM unnest($1::text[]) AS name ORDER BY key
) AS ordered

-- name: find_clients
-- by_chat: whose chat this is, for those who come without a known handle.
SELECT asked.ord, handle.client_id AS by_identity, phone.id AS by_phone, chat.client_id AS by_chat,
    EXISTS (
        SELECT FROM identities AS other
        WHERE other.client_id = chat.client_id AND other.channel = asked.channel
            AND other.account = asked.account
    ) AS chat_has_handle
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[])
    WITH ORDINALITY AS asked (channel, account, external_user_id, phone, external_chat_id, ord)
LEFT JOIN identities AS handle
    ON handle.channel = asked.channel AND handle.account = asked.account
    AND handle.external_user_id = asked.external_user_id
LEFT JOIN LATERAL (
    SELECT c.id FROM clients AS c
    WHERE handle.id IS NULL AND c.phone = asked.phone ORDER BY c.id LIMIT 1
) AS phone ON true
LEFT JOIN LATERAL (
    SELECT m.client_id FROM messages_history AS m
    WHERE handle.id IS NULL AND m.channel = asked.channel AND m.account = asked.account
        AND m.external_chat_id = asked.external_chat_id
    ORDER BY m.id DESC LIMIT 1
) AS chat ON true
ORDER BY asked.ord

-- name: create_clients
INSERT INTO clients (created_at, updated_at)
SELECT $2::timestamptz, $2 FROM generate_series(1, $1::int)
RETURNING id

-- name: add_identities
INSERT INTO identities (client_id, channel, account, external_user_id, evidence, created_at)
SELECT new.*, $6::timestamptz
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[]) AS new
ON CONFLICT ON CONSTRAINT identities_handle DO NOTHING

-- name: lock_clients
SELECT id, name, phone, email FROM clients WHERE id = ANY($1::bigint[]) ORDER BY id FOR NO KEY UPDATE

-- name: fill_clients
UPDATE clients AS c
SET name = coalesce(c.name, learned.name), phone = coalesce(c.phone, learned.phone),
    email = coalesce(c.email, learned.email), updated_at = $5
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[]) AS learned (id, name, phone, email)
WHERE c.id = learned.id

-- name: get_client
SELECT id, name, phone, email, telegram_id, avito_id, vk_id, whatsapp_id, max_id, instagram_id
FROM clients WHERE id = $1
