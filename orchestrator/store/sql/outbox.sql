-- name: release_due
-- What was scheduled and is due takes its place behind what was accepted before: it gets a new number. Under the
-- lock of its chat (the name of clients.chat_key) or not yet: who has the chat may be moving it to another client.
WITH first AS MATERIALIZED (
    SELECT id, channel, account, external_chat_id FROM outbound
    WHERE state = 'scheduled' AND send_at <= $1
    ORDER BY send_at, seq LIMIT $2
), ours AS MATERIALIZED (
    SELECT id FROM first WHERE pg_try_advisory_xact_lock(hashtextextended(
        'chat|' || channel || '|' || account || '|' || external_chat_id, 0))
)
UPDATE outbound AS o SET state = 'queued', seq = due.place, updated_at = $1
FROM (
    SELECT id, nextval(pg_get_serial_sequence('outbound', 'seq')) AS place FROM (
        SELECT s.id FROM outbound AS s JOIN ours ON ours.id = s.id WHERE s.state = 'scheduled'
        ORDER BY s.send_at, s.seq FOR NO KEY UPDATE OF s
    ) AS ordered
) AS due
WHERE o.id = due.id
RETURNING o.*

-- name: own_released
-- Whose message it is now, and how urgent.
UPDATE outbound SET client_id = coalesce($2, client_id), appeal_id = coalesce($3, appeal_id), lane = $4, flow = $5 WHERE id = $1

-- name: unqueued
-- What may go, urgent first. What has time waits here: of each flow at most $2 are on their way.
WITH flows AS (
    SELECT DISTINCT channel, account, flow FROM outbound
    WHERE queued_at IS NULL AND given_up_at IS NULL AND lane = 2 AND state IN ('queued', 'sending', 'unknown')
), room AS (
    SELECT f.channel, f.account, f.flow, greatest(0, $2 - (
        SELECT count(*) FROM outbound AS o
        WHERE o.channel = f.channel AND o.account = f.account AND o.flow = f.flow AND o.lane = 2
            AND o.queued_at IS NOT NULL AND o.given_up_at IS NULL
            AND o.state IN ('queued', 'sending', 'unknown')
    )) AS places
    FROM flows AS f
)
(
    SELECT id, channel, account, external_chat_id, lane FROM outbound
    WHERE queued_at IS NULL AND given_up_at IS NULL AND lane < 2 AND state IN ('queued', 'sending', 'unknown')
    ORDER BY lane, seq LIMIT $1
) UNION ALL (
    SELECT next.* FROM room AS r
    CROSS JOIN LATERAL (
        SELECT id, channel, account, external_chat_id, lane FROM outbound AS o
        WHERE o.channel = r.channel AND o.account = r.account AND o.flow = r.flow
            AND o.queued_at IS NULL AND o.given_up_at IS NULL AND o.lane = 2
            AND o.state IN ('queued', 'sending', 'unknown')
        ORDER BY o.seq LIMIT r.places
    ) AS next
)

-- name: mark_queued
UPDATE outbound SET queued_at = $2 WHERE id = ANY($1::uuid[]) AND queued_at IS NULL

-- name: unqueue_stale
-- Pushed long ago, and nothing has moved in their chat since: Redis may have lost their tickets. The relay
-- pushes them again, also those whose sender died. A chat that waits for its vendor is tried every few minutes.
UPDATE outbound AS o SET queued_at = NULL
WHERE o.state IN ('queued', 'sending', 'unknown') AND o.given_up_at IS NULL AND o.queued_at < $1
    AND NOT EXISTS (
        SELECT FROM outbound AS moved
        WHERE moved.channel = o.channel AND moved.account = o.account
            AND moved.external_chat_id = o.external_chat_id AND moved.updated_at > $1
    )
RETURNING o.id

-- name: reopen
-- Somebody wants it to go after all: from the dead letters, or once more from the list. Not what an agent was told
-- that a pause has refused.
UPDATE outbound
SET state = CASE WHEN state = 'failed' THEN 'queued' ELSE state END, given_up_at = NULL, queued_at = NULL,
    updated_at = $2
WHERE id = $1 AND state IN ('queued', 'sending', 'unknown', 'failed')
    AND (origin = 'list' OR error_code <> 'conversation_paused')
    AND NOT (state = 'failed' AND given_up_at IS NOT NULL) -- an operator has settled it
RETURNING *

-- name: head_of_chat
-- The oldest message of the chat of $1 that is not finished, up to $1 itself: what has to go before it.
SELECT o.* FROM outbound AS asked
JOIN outbound AS o USING (channel, account, external_chat_id)
WHERE asked.id = $1 AND o.seq <= asked.seq AND o.given_up_at IS NULL
    AND o.state IN ('queued', 'sending', 'unknown')
ORDER BY o.seq LIMIT 1

-- name: note_wait
-- It waits for its account; nothing was tried.
UPDATE outbound SET error_code = $2, error_detail = $3, updated_at = $4
WHERE id = $1 AND state IN ('queued', 'sending', 'unknown')

-- name: outbound_figures
-- Of every account that has something open: what waits, since when, what is put off, what nobody knows.
SELECT channel, account, sum(waiting)::bigint AS waiting, sum(scheduled)::bigint AS scheduled,
    sum(unknown)::bigint AS unknown, min(oldest) AS oldest
FROM (
    SELECT channel, account, count(*) AS waiting, 0 AS scheduled,
        count(*) FILTER (WHERE state = 'unknown') AS unknown, min(coalesce(send_at, created_at)) AS oldest
    FROM outbound WHERE given_up_at IS NULL AND state IN ('queued', 'sending', 'unknown')
    GROUP BY channel, account
    UNION ALL
    SELECT channel, account, 0, count(*), 0, NULL FROM outbound WHERE state = 'scheduled' GROUP BY channel, account
    UNION ALL
    SELECT channel, account, 0, 0, count(*), NULL FROM outbound
    WHERE state = 'unknown' AND given_up_at IS NOT NULL GROUP BY channel, account
) AS figures
GROUP BY channel, account
