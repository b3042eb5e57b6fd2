-- name: wait_for_locks
-- How long this transaction waits for each lock; 0ms: without end.
SELECT set_config('lock_timeout', $1, true)

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
-- by_chat: whose chat this is, for those who come without a known handle. by_phone: only by a phone that is
-- attested, as the asked one is. LATERAL ... LIMIT 1: each a lookup.
SELECT handle.client_id AS by_identity, phone.id AS by_phone, chat.client_id AS by_chat, other.known AS chat_has_handle
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[])
    WITH ORDINALITY AS asked (channel, account, external_user_id, phone, external_chat_id, ord)
LEFT JOIN LATERAL (
    SELECT i.client_id FROM identities AS i
    WHERE i.channel = asked.channel AND i.account = asked.account
        AND i.external_user_id = asked.external_user_id LIMIT 1
) AS handle ON true
LEFT JOIN LATERAL (
    SELECT f.client_id AS id FROM client_facts AS f
    WHERE handle.client_id IS NULL AND f.kind = 'phone' AND f.value = asked.phone
        AND f.evidence IN ('vendor', 'form')
    ORDER BY f.client_id LIMIT 1
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
-- With what is known of them: kind, evidence, channel, account, handle and value of each fact.
SELECT c.id, c.name, c.phone, c.email, ARRAY(
    SELECT concat_ws(E'\x1f', f.kind, f.evidence, f.channel, f.account, f.external_user_id, f.value)
    FROM client_facts AS f WHERE f.client_id = c.id
) AS facts
FROM clients AS c WHERE c.id = ANY($1::bigint[]) ORDER BY c.id FOR NO KEY UPDATE OF c

-- name: fill_clients
UPDATE clients AS c
SET name = learned.name, phone = learned.phone, email = learned.email, updated_at = $5
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[]) AS learned (id, name, phone, email)
WHERE c.id = learned.id

-- name: add_facts
-- Said again: the latest time, and the better evidence of the two.
INSERT INTO client_facts (client_id, kind, value, evidence, channel, account, external_user_id, first_at, last_at)
SELECT new.client_id, new.kind, new.value, new.evidence, new.channel, new.account, new.external_user_id, $8, $8
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
    AS new (client_id, kind, value, evidence, channel, account, external_user_id)
ON CONFLICT ON CONSTRAINT client_facts_once DO UPDATE
SET last_at = greatest(client_facts.last_at, excluded.last_at), evidence = CASE
    WHEN array_position(ARRAY['mentioned', 'claimed', 'form', 'vendor'], excluded.evidence)
        > array_position(ARRAY['mentioned', 'claimed', 'form', 'vendor'], client_facts.evidence)
    THEN excluded.evidence ELSE client_facts.evidence END

-- name: facts_of_client
SELECT kind, value, evidence, channel, account, external_user_id, first_at, last_at
FROM client_facts WHERE client_id = $1

-- name: attested_phone
-- The number that may be written to first: the shown one if it is attested, else the best and latest that is.
SELECT f.value FROM client_facts AS f JOIN clients AS c ON c.id = f.client_id
WHERE f.client_id = $1 AND f.kind = 'phone' AND f.evidence IN ('vendor', 'form')
ORDER BY f.value = c.phone DESC, f.evidence = 'vendor' DESC, f.last_at DESC LIMIT 1

-- name: get_client
SELECT id, name, phone, email, telegram_id, avito_id, vk_id, whatsapp_id, max_id, instagram_id
FROM clients WHERE id = $1

-- name: leads_to_client
-- Whether the client $1 has written in this chat, or $5 is a phone that is attested for them.
SELECT CASE WHEN $5::text IS NULL THEN EXISTS (
    SELECT FROM messages_history AS m
    WHERE m.client_id = $1 AND m.channel = $2 AND m.account = $3 AND m.external_chat_id = $4
        AND m.sender = 'customer'
) ELSE EXISTS (
    SELECT FROM client_facts AS f
    WHERE f.client_id = $1 AND f.kind = 'phone' AND f.value = $5 AND f.evidence IN ('vendor', 'form')
) END

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
        AND other.sender = 'customer' AND (other.client_id <> $1 OR other.meta ?| ARRAY['author', 'shared'])
) AND NOT EXISTS (
    SELECT FROM outbound AS refused
    WHERE refused.channel = chat.channel AND refused.account = chat.account
        AND refused.external_chat_id = chat.external_chat_id AND refused.state = 'failed'
        AND refused.error_code = ANY ($2::text[]) AND refused.updated_at > chat.last_at
)
ORDER BY chat.last_at DESC
