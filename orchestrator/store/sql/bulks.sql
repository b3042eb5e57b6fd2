-- name: insert_bulk
INSERT INTO bulks (id, channel, account, digest, total, refused, asked_by, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (id) DO NOTHING
RETURNING id

-- name: get_bulk
SELECT * FROM bulks WHERE id = $1

-- name: chats_for_bulk
-- Of these chats those in which somebody has written, with their client and open case; whether a person has them.
SELECT c.external_chat_id, m.client_id, open.id AS appeal_id, EXISTS (
    SELECT FROM pauses AS p
    WHERE p.channel = $1 AND p.account = $2 AND p.external_chat_id = c.external_chat_id
        AND p.ended_at IS NULL AND (p.until IS NULL OR p.until > $4)
) AS paused
FROM unnest($3::text[]) AS c (external_chat_id)
CROSS JOIN LATERAL (
    SELECT client_id FROM messages_history
    WHERE channel = $1 AND account = $2 AND external_chat_id = c.external_chat_id ORDER BY id DESC LIMIT 1
) AS m
LEFT JOIN LATERAL (
    SELECT a.id FROM appeals AS a
    WHERE a.client_id = m.client_id AND a.channel = $1 AND a.account = $2 AND a.closed_at IS NULL LIMIT 1
) AS open ON true

-- name: insert_bulk_messages
-- In the order of the request, with their history, in one statement: ten thousand in a breath.
WITH new AS (
    INSERT INTO outbound (
        id, origin, client_id, appeal_id, channel, account, external_chat_id, text, lane, flow, bulk_id,
        created_at, updated_at
    )
    SELECT id, 'tool', client_id, appeal_id, $1, $2, external_chat_id, text, 2, $3::uuid::text, $3::uuid, $4, $4
    FROM unnest($5::uuid[], $6::bigint[], $7::bigint[], $8::text[], $9::text[])
        WITH ORDINALITY AS item (id, client_id, appeal_id, external_chat_id, text, ord)
    ORDER BY ord
    ON CONFLICT (id) DO NOTHING
    RETURNING id, client_id, appeal_id, external_chat_id, text, seq
)
INSERT INTO messages_history (
    client_id, appeal_id, channel, account, external_chat_id, direction, sender, event, message_type,
    message_text, media, meta, sent_at, created_at, outbound_id
)
SELECT client_id, appeal_id, $1, $2, external_chat_id, 'out', 'agent', 'message', 'text', text, '{}', '{}', $4, $4, id
FROM new ORDER BY seq

-- name: bulk_figures
-- So many in each state; when the first began, when the last moved, and how many went in the last minute.
SELECT state, count(*)::integer AS count, min(sent_at) AS first_sent, max(updated_at) AS last_moved,
    (count(*) FILTER (WHERE sent_at > $2::timestamptz - interval '1 minute'))::integer AS lately,
    (count(*) FILTER (WHERE given_up_at IS NOT NULL))::integer AS given_up
FROM outbound WHERE bulk_id = $1 GROUP BY state

-- name: cancel_bulk
UPDATE bulks SET cancelled_at = coalesce(cancelled_at, $2) WHERE id = $1

-- name: cancel_bulk_messages
-- What the vendor certainly has not; what is being sent goes its way.
UPDATE outbound SET state = 'cancelled', updated_at = $2 WHERE bulk_id = $1 AND state = 'queued' RETURNING id
