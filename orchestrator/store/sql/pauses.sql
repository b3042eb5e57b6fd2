-- name: get_pause
SELECT * FROM pauses WHERE channel = $1 AND account = $2 AND external_chat_id = $3

-- name: list_pauses
SELECT * FROM pauses WHERE ended_at IS NULL AND (until IS NULL OR until > $1)
ORDER BY started_at DESC, channel, account, external_chat_id LIMIT $2

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
    SELECT * FROM pauses WHERE ended_at IS NULL AND mirrored_at <= $1 AND (until IS NULL OR until > $1)
    ORDER BY mirrored_at LIMIT $2
)

-- name: mark_pauses_told
UPDATE pauses AS p SET mirrored_version = greatest(p.mirrored_version, told.version), mirrored_at = $5
FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[])
    AS told (channel, account, external_chat_id, version)
WHERE p.channel = told.channel AND p.account = told.account AND p.external_chat_id = told.external_chat_id
