-- name: inbox_choice
-- The cases to look at, $1 at most: those whose customer waits, the longest first; then by their latest change.
SELECT found.id FROM (
    (
        SELECT t.appeal_id AS id, min(t.first_at) AS since, NULL::timestamptz AS updated_at
        FROM turns AS t WHERE t.status IN ('ready', 'leased')
        GROUP BY t.appeal_id ORDER BY since LIMIT $1
    ) UNION ALL (
        SELECT a.id, NULL, a.updated_at
        FROM unnest(ARRAY['open', 'waiting_client', 'snoozed', 'handed_off']) AS wanted (status)
        CROSS JOIN LATERAL (
            SELECT appeals.id, appeals.updated_at FROM appeals WHERE appeals.status = wanted.status
            ORDER BY appeals.updated_at DESC, appeals.id DESC LIMIT $1
        ) AS a
    )
) AS found
GROUP BY found.id ORDER BY min(found.since) NULLS LAST, max(found.updated_at) DESC, found.id DESC LIMIT $1

-- name: inbox_lines
-- In the order of $1. Of several turns of a case the oldest is told: it comes before the others.
SELECT a.id, a.client_id, coalesce(c.name, '') AS client_name, a.channel, a.account, a.external_chat_id, a.status,
    a.priority, coalesce(a.ad_title, '') AS ad_title, waits.since, waits.turn_id, coalesce(waits.taken_by, '') AS taken_by,
    coalesce(p.cause, '') AS pause_cause, coalesce(p.paused_by, '') AS paused_by, coalesce(p.reason, '') AS pause_reason,
    p.until AS paused_until
FROM unnest($1::bigint[]) WITH ORDINALITY AS asked (id, place)
JOIN appeals AS a ON a.id = asked.id
JOIN clients AS c ON c.id = a.client_id
LEFT JOIN LATERAL (
    SELECT min(t.first_at) AS since, min(t.id) AS turn_id,
        max(t.leased_by) FILTER (WHERE t.status = 'leased' AND t.leased_until > $2) AS taken_by
    FROM turns AS t WHERE t.appeal_id = a.id AND t.status IN ('ready', 'leased')
) AS waits ON true
LEFT JOIN pauses AS p ON p.channel = a.channel AND p.account = a.account AND p.external_chat_id = a.external_chat_id
    AND p.ended_at IS NULL AND (p.until IS NULL OR p.until > $2)
ORDER BY asked.place

-- name: last_of_appeals
SELECT m.appeal_id, m.id, m.direction, m.sender, m.event, m.message_type, m.message_text, m.media, m.meta, m.reply_to,
    m.external_message_id, m.external_chat_id, m.sent_at, m.edited_at, m.deleted_at, m.outbound_id, o.state
FROM unnest($1::bigint[]) AS asked (id)
CROSS JOIN LATERAL (
    SELECT * FROM messages_history AS one WHERE one.appeal_id = asked.id ORDER BY one.id DESC LIMIT 1
) AS m
LEFT JOIN outbound AS o ON o.id = m.outbound_id
