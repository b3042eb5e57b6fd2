-- name: lock_keys
-- Taken in one order by everybody, so that nobody waits in a circle; held until the transaction ends.
-- Everything that follows looks rows up by index: a plan that was made and cached while a table was small
-- must not go on to scan it whole until the next ANALYZE.
SELECT pg_advisory_xact_lock(key), set_config('enable_seqscan', 'off', true),
    set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true)
FROM (
    SELECT DISTINCT hashtextextended(name, 0) AS key FROM unnest($1::text[]) AS name ORDER BY key
) AS ordered

-- name: find_clients
-- by_chat: whose chat this is, for those who come without a known handle. LATERAL ... LIMIT 1: each a lookup.
SELECT handle.client_id AS by_identity, phone.id AS by_phone, chat.client_id AS by_chat, other.known AS chat_has_handle
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[])
    WITH ORDINALITY AS asked (channel, account, external_user_id, phone, external_chat_id, ord)
LEFT JOIN LATERAL (
    SELECT i.client_id FROM identities AS i
    WHERE i.channel = asked.channel AND i.account = asked.account
        AND i.external_user_id = asked.external_user_id LIMIT 1
) AS handle ON true
LEFT JOIN LATERAL (
    SELECT c.id FROM clients AS c
    WHERE handle.client_id IS NULL AND c.phone = asked.phone ORDER BY c.id LIMIT 1
) AS phone ON true
LEFT JOIN LATERAL (
    SELECT m.client_id FROM messages_history AS m
    WHERE handle.client_id IS NULL AND m.channel = asked.channel AND m.account = asked.account
        AND m.external_chat_id = asked.external_chat_id
    ORDER BY m.id DESC LIMIT 1
) AS chat ON true
LEFT JOIN LATERAL (
    SELECT true AS known FROM identities AS i
    WHERE i.client_id = chat.client_id AND i.channel = asked.channel AND i.account = asked.account LIMIT 1
) AS other ON true
ORDER BY asked.ord

-- name: create_clients
-- Ids are given in the order of the rows.
INSERT INTO clients (name, phone, email, created_at, updated_at)
SELECT new.name, new.phone, new.email, $4::timestamptz, $4
FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS new (name, phone, email, ord)
ORDER BY new.ord
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

-- name: chats_of_client
-- Where the client has written to us, the latest first. Not a chat in which others write too (in a batch of
-- the client's they are `author`), nor one that has refused what we sent since ($2: what a refusal is called).
SELECT chat.channel, chat.account, chat.external_chat_id, chat.last_at
FROM (
    SELECT channel, account, external_chat_id, max(sent_at) AS last_at
    FROM messages_history WHERE client_id = $1 AND sender = 'customer' AND event IN ('message', 'postback')
    GROUP BY channel, account, external_chat_id
) AS chat
WHERE NOT EXISTS (
    SELECT FROM messages_history AS other
    WHERE other.channel = chat.channel AND other.account = chat.account
        AND other.external_chat_id = chat.external_chat_id
        AND other.sender = 'customer' AND (other.client_id <> $1 OR other.meta ? 'author')
) AND NOT EXISTS (
    SELECT FROM outbound AS refused
    WHERE refused.channel = chat.channel AND refused.account = chat.account
        AND refused.external_chat_id = chat.external_chat_id AND refused.state = 'failed'
        AND refused.error_code = ANY ($2::text[]) AND refused.updated_at > chat.last_at
)
ORDER BY chat.last_at DESC
