-- name: append_or_open_turns
-- Messages join the chat's waiting turn; one that an agent took in the meantime is left alone.
WITH wanted AS (
    SELECT * FROM unnest(
        $1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::timestamptz[], $8::text[]
    ) AS w (appeal_id, client_id, channel, account, external_chat_id, first_at, last_at, closed_by)
), waiting AS (
    SELECT ready.id, wanted.* FROM wanted CROSS JOIN LATERAL (
        SELECT t.id FROM turns AS t
        WHERE t.channel = wanted.channel AND t.account = wanted.account
            AND t.external_chat_id = wanted.external_chat_id AND t.status = 'ready'
        LIMIT 1 FOR NO KEY UPDATE
    ) AS ready
), appended AS (
    UPDATE turns AS t
    SET first_at = least(t.first_at, w.first_at), last_at = greatest(t.last_at, w.last_at),
        closed_by = w.closed_by, appeal_id = w.appeal_id
    FROM waiting AS w
    WHERE t.id = w.id
    RETURNING t.id, t.channel, t.account, t.external_chat_id
), opened AS (
    INSERT INTO turns (
        appeal_id, client_id, channel, account, external_chat_id, first_at, last_at, closed_by, created_at
    )
    SELECT w.*, $9::timestamptz FROM wanted AS w
    WHERE NOT EXISTS (
        SELECT FROM appended AS a WHERE a.channel = w.channel AND a.account = w.account
            AND a.external_chat_id = w.external_chat_id
    )
    RETURNING id, channel, account, external_chat_id
)
SELECT * FROM appended UNION ALL SELECT * FROM opened

-- name: ready_turns
SELECT id FROM turns WHERE id = ANY($1::bigint[]) AND status = 'ready'

-- name: lease_next_turns
-- A turn for each of the agents $1, or fewer: whoever has waited longest first, counted from the last time it was given back. $4: this turn only.
WITH next AS MATERIALIZED (
    SELECT t.id, coalesce(t.leased_until, t.created_at) AS since FROM turns AS t
    WHERE {{turn_is_offered $2}} AND ($4::bigint IS NULL OR t.id = $4)
    ORDER BY coalesce(t.leased_until, t.created_at), t.id LIMIT cardinality($1::text[])
    FOR NO KEY UPDATE SKIP LOCKED
), placed AS (
    SELECT id, row_number() OVER (ORDER BY since, id) AS place FROM next
)
UPDATE turns AS t
SET status = 'leased', leased_by = ($1::text[])[placed.place], leased_at = $2, leased_until = $3,
    lease_token = t.lease_token + 1, attempts = t.attempts + 1
FROM placed WHERE t.id = placed.id
RETURNING t.*, placed.place

-- name: try_chat_lock
SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0))

-- name: lock_chat_of_turn
-- The same name as clients.chat_key.
SELECT pg_advisory_xact_lock(hashtextextended(
    'chat|' || channel || '|' || account || '|' || external_chat_id, 0))
FROM turns WHERE id = $1

-- name: lock_client_of_turn
-- Before the turn, in the order of store/resolve.py: for those whose work comes to the client's cases.
SELECT c.id FROM turns AS t JOIN clients AS c ON c.id = t.client_id WHERE t.id = $1 FOR NO KEY UPDATE OF c

-- name: get_turn_for_update
SELECT * FROM turns WHERE id = $1 FOR NO KEY UPDATE

-- name: get_turn
SELECT * FROM turns WHERE id = $1

-- name: absorb_newer_turn
-- The waiting turn of the chat ($3, $4, $5) moves into turn $1, messages and all. They get numbers after those
-- of all changes before: who was shown a change of turn $1 while they were elsewhere has not seen them.
WITH newer AS (
    UPDATE turns AS n
    SET status = 'merged', committed_at = $2
    WHERE n.channel = $3 AND n.account = $4 AND n.external_chat_id = $5 AND n.status = 'ready'
    RETURNING n.id, n.appeal_id, n.first_at, n.last_at, n.closed_by, n.latest_message_id
), moved AS (
    UPDATE messages_history AS m
    SET turn_id = $1, change_id = nextval(pg_get_serial_sequence('messages_history', 'id'))
    FROM newer WHERE m.turn_id = newer.id
    RETURNING m.change_id
)
UPDATE turns AS t
SET appeal_id = newer.appeal_id, closed_by = newer.closed_by,
    first_at = least(t.first_at, newer.first_at), last_at = greatest(t.last_at, newer.last_at),
    latest_message_id = greatest(t.latest_message_id, newer.latest_message_id, (SELECT max(change_id) FROM moved))
FROM newer WHERE t.id = $1
RETURNING t.latest_message_id

-- name: extend_lease
UPDATE turns SET leased_until = greatest(leased_until, $3)
WHERE id = $1 AND lease_token = $2 AND status = 'leased'
RETURNING leased_until

-- name: return_turn
-- With the next token: whoever gave it back cannot commit it any more.
UPDATE turns SET status = 'ready', leased_by = NULL, leased_until = $2, lease_token = lease_token + 1
WHERE id = $1

-- name: finish_turn
UPDATE turns SET status = $2, committed_at = $3, outbound_id = $4, leased_until = NULL WHERE id = $1
