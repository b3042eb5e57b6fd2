-- Completion of ids. Each pair of $1, $2 is the range of ids of one length that begin alike; the newest first.

-- name: complete_open_appeals
SELECT found.id::text AS id
FROM unnest($1::bigint[], $2::bigint[]) AS span (low, high)
CROSS JOIN LATERAL (
    SELECT a.id FROM appeals AS a
    WHERE a.closed_at IS NULL AND a.id BETWEEN span.low AND span.high
    ORDER BY a.id DESC LIMIT $3
) AS found
ORDER BY found.id DESC LIMIT $3

-- name: complete_clients
SELECT found.id::text AS id
FROM unnest($1::bigint[], $2::bigint[]) AS span (low, high)
CROSS JOIN LATERAL (
    SELECT c.id FROM clients AS c WHERE c.id BETWEEN span.low AND span.high ORDER BY c.id DESC LIMIT $3
) AS found
ORDER BY found.id DESC LIMIT $3

-- name: complete_turns
-- Those that are not finished: as many as there are customers who wait.
SELECT t.id::text AS id
FROM turns AS t
WHERE t.status IN ('ready', 'leased') AND EXISTS (
    SELECT FROM unnest($1::bigint[], $2::bigint[]) AS span (low, high) WHERE t.id BETWEEN span.low AND span.high
)
ORDER BY t.id DESC LIMIT $3

-- name: complete_chats
-- In the order of the bytes, in which all that begin alike stand together.
SELECT DISTINCT a.external_chat_id COLLATE "C" AS id
FROM appeals AS a
WHERE a.channel = $1 AND a.account = $2
    AND a.external_chat_id COLLATE "C" >= $3 AND a.external_chat_id COLLATE "C" < $4
ORDER BY 1 LIMIT $5
