-- name: open_notices
-- A notice by the way $1 for each turn on offer since $3 at least, unless this very offer has one.
INSERT INTO turn_notices AS n (turn_id, way, offer, due_at)
SELECT t.id, $1, {{turn_offer}}, $2
FROM turns AS t LEFT JOIN turn_notices AS known ON known.turn_id = t.id AND known.way = $1
WHERE {{turn_is_offered $2}}
    AND coalesce(t.leased_until, t.created_at) >= $3::timestamptz
    AND known.offer IS DISTINCT FROM {{turn_offer}}
ON CONFLICT (turn_id, way) DO UPDATE
SET offer = excluded.offer, notice_id = excluded.notice_id, attempts = 0, due_at = excluded.due_at,
    done_at = NULL, error = ''
WHERE n.offer <> excluded.offer

-- name: claim_notices
-- The next $4 notices that are due, ours until $3: of turns that are still on offer as they were.
WITH due AS MATERIALIZED (
    SELECT n.turn_id, t.channel, t.account, coalesce(t.leased_until, t.created_at) AS since
    FROM turn_notices AS n JOIN turns AS t ON t.id = n.turn_id
    WHERE n.way = $1 AND n.done_at IS NULL AND n.due_at <= $2::timestamptz
        AND n.offer = {{turn_offer}} AND {{turn_is_offered $2}}
    ORDER BY n.due_at, n.turn_id LIMIT $4
    FOR NO KEY UPDATE OF n SKIP LOCKED
)
UPDATE turn_notices AS n SET attempts = n.attempts + 1, due_at = $3
FROM due WHERE n.turn_id = due.turn_id AND n.way = $1
RETURNING n.turn_id, n.notice_id, n.attempts, due.channel, due.account, due.since

-- name: notices_done
UPDATE turn_notices SET done_at = $3, error = '' WHERE way = $1 AND notice_id = ANY($2::uuid[])

-- name: notice_failed
UPDATE turn_notices SET due_at = $3, error = $4 WHERE way = $1 AND notice_id = $2

-- name: prune_notices
DELETE FROM turn_notices AS n USING turns AS t
WHERE n.turn_id = t.id AND n.way = $1 AND t.status NOT IN ('ready', 'leased')

-- name: notices_summary
SELECT way, count(*) FILTER (WHERE done_at IS NULL) AS waiting,
    count(*) FILTER (WHERE done_at IS NULL AND error <> '') AS failing
FROM turn_notices GROUP BY way

-- name: turns_on_offer
-- How many turns wait and since when, per channel and account, at the time $1.
SELECT t.channel, t.account, count(*) AS waiting, min(t.created_at) AS since
FROM turns AS t WHERE {{turn_is_offered $1}}
GROUP BY t.channel, t.account ORDER BY since, t.channel, t.account

-- name: get_agent_webhook
SELECT disabled_at, failed_at, error FROM agent_webhooks WHERE mark = $1

-- name: agent_webhook_failed
-- $4: it is gone, and disabled from now on.
INSERT INTO agent_webhooks AS w (mark, failed_at, error, disabled_at)
VALUES ($1, $2, $3, CASE WHEN $4::boolean THEN $2::timestamptz END)
ON CONFLICT (mark) DO UPDATE
SET failed_at = excluded.failed_at, error = excluded.error,
    disabled_at = coalesce(w.disabled_at, excluded.disabled_at)

-- name: enable_agent_webhook
UPDATE agent_webhooks SET disabled_at = NULL WHERE mark = $1
