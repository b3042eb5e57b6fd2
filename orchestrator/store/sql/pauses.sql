-- name: get_pause
SELECT * FROM pauses WHERE channel = $1 AND account = $2 AND external_chat_id = $3

-- name: list_pauses
-- Behind ($3, $4), of these chats ($5, $6, $7) or of all: null.
SELECT * FROM (
    SELECT *, md5(concat_ws('|', channel, account, external_chat_id)) AS mark FROM pauses
    WHERE ended_at IS NULL AND coalesce(until, 'infinity') > $1
        AND ($5::text[] IS NULL OR (channel, account, external_chat_id) IN (
            SELECT * FROM unnest($5::text[], $6::text[], $7::text[])
        ))
) AS p
WHERE (started_at, mark COLLATE "C") < ($3, $4)
ORDER BY started_at DESC, mark COLLATE "C" DESC LIMIT $2

-- name: put_pause
-- In the order of Pause.__slots__.
INSERT INTO pauses (
    channel, account, external_chat_id, cause, paused_by, reason, started_at, until, version,
    ended_at, ended_by, operator_at, word_id
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
ON CONFLICT (channel, account, external_chat_id) DO UPDATE SET
    cause = excluded.cause, paused_by = excluded.paused_by, reason = excluded.reason,
    started_at = excluded.started_at, until = excluded.until, version = excluded.version,
    ended_at = excluded.ended_at, ended_by = excluded.ended_by, operator_at = excluded.operator_at,
    word_id = excluded.word_id

-- name: untold_pauses
(
    SELECT * FROM pauses WHERE mirrored_version < version ORDER BY version LIMIT $2
) UNION (
    SELECT * FROM pauses WHERE ended_at IS NULL AND coalesce(until, 'infinity') > $1 AND mirrored_at <= $1
    ORDER BY mirrored_at LIMIT $2
)

-- name: mark_pauses_told
UPDATE pauses AS p SET mirrored_version = greatest(p.mirrored_version, told.version), mirrored_at = $5
FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[])
    AS told (channel, account, external_chat_id, version)
WHERE p.channel = told.channel AND p.account = told.account AND p.external_chat_id = told.external_chat_id

-- name: refuse_queued
-- What the AI had said and nobody has begun to send. What has begun is finished.
UPDATE outbound
SET state = 'failed', error_code = 'conversation_paused',
    error_detail = 'A person took the conversation over before this was sent.', updated_at = $4
WHERE channel = $1 AND account = $2 AND external_chat_id = $3 AND state = 'queued' AND sender = 'agent'

-- name: leased_turn_of_chat
SELECT id FROM turns
WHERE channel = $1 AND account = $2 AND external_chat_id = $3 AND status = 'leased' FOR NO KEY UPDATE

-- name: take_turn_back
-- It waits from where it had waited; the lease that ends here is remembered, for its agent to be told.
UPDATE turns
SET status = 'ready', taken_token = lease_token, taken_over_at = $2, lease_token = lease_token + 1, leased_by = NULL,
    leased_until = NULL
WHERE id = $1

-- name: handle_turns
UPDATE turns
SET status = 'handled', committed_at = $4, taken_over_at = $4, handled_by = $5, leased_until = NULL,
    taken_token = CASE WHEN status = 'leased' THEN lease_token ELSE taken_token END
WHERE channel = $1 AND account = $2 AND external_chat_id = $3 AND status IN ('ready', 'leased')
    AND ($6::timestamptz IS NULL OR last_at <= $6)
RETURNING id

-- name: handle_late_turns
UPDATE turns AS t
SET status = 'handled', committed_at = $2, taken_over_at = $2, handled_by = p.word_id
FROM pauses AS p
WHERE t.id = ANY ($1::bigint[]) AND t.status = 'ready' AND p.channel = t.channel AND p.account = t.account
    AND p.external_chat_id = t.external_chat_id AND t.last_at < p.operator_at
RETURNING t.id

-- name: turns_handled_by
-- The newest first: each takes in the one that waits then.
SELECT id FROM turns
WHERE channel = $1 AND account = $2 AND external_chat_id = $3 AND status = 'handled' AND handled_by = ANY ($4::text[])
ORDER BY id DESC FOR NO KEY UPDATE

-- name: revive_turn
UPDATE turns SET status = 'ready', committed_at = NULL, handled_by = NULL, lease_token = lease_token + 1 WHERE id = $1
