-- name: open_or_touch_appeals
-- The client's row is locked by then: nobody else opens one. A new ad replaces the old one whole.
WITH wanted AS (
    SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[])
        AS w (client_id, channel, account, external_chat_id, ad_id, ad_title, ad_price, ad_url)
), found AS (
    SELECT open.id, wanted.* FROM wanted CROSS JOIN LATERAL (
        SELECT a.id FROM appeals AS a
        WHERE a.client_id = wanted.client_id AND a.channel = wanted.channel AND a.account = wanted.account
            AND a.closed_at IS NULL
        LIMIT 1 FOR NO KEY UPDATE
    ) AS open
), touched AS (
    UPDATE appeals AS a
    SET external_chat_id = w.external_chat_id, updated_at = $9,
        ad_id = coalesce(w.ad_id, a.ad_id),
        ad_title = CASE WHEN w.ad_id <> a.ad_id THEN w.ad_title ELSE coalesce(w.ad_title, a.ad_title) END,
        ad_price = CASE WHEN w.ad_id <> a.ad_id THEN w.ad_price ELSE coalesce(w.ad_price, a.ad_price) END,
        ad_url = CASE WHEN w.ad_id <> a.ad_id THEN w.ad_url ELSE coalesce(w.ad_url, a.ad_url) END
    FROM found AS w
    WHERE a.id = w.id
    RETURNING a.id, a.client_id, a.channel, a.account
), opened AS (
    INSERT INTO appeals (
        client_id, channel, account, external_chat_id, ad_id, ad_title, ad_price, ad_url, opened_at, updated_at
    )
    SELECT w.*, $9::timestamptz, $9 FROM wanted AS w
    WHERE NOT EXISTS (
        SELECT FROM touched AS t
        WHERE t.client_id = w.client_id AND t.channel = w.channel AND t.account = w.account
    )
    RETURNING id, client_id, channel, account
)
SELECT * FROM touched UNION ALL SELECT * FROM opened

-- name: open_appeals
SELECT open.id, asked.client_id, asked.channel, asked.account
FROM unnest($1::bigint[], $2::text[], $3::text[]) AS asked (client_id, channel, account)
CROSS JOIN LATERAL (
    SELECT a.id FROM appeals AS a
    WHERE a.client_id = asked.client_id AND a.channel = asked.channel AND a.account = asked.account
        AND a.closed_at IS NULL
    LIMIT 1
) AS open

-- name: get_appeal
SELECT a.id, a.client_id, a.channel, a.account, a.external_chat_id, a.status, a.ad_id, a.ad_title, a.ad_price,
    a.ad_url, a.opened_at, a.updated_at, a.closed_at, a.close_reason, c.name AS client_name
FROM appeals AS a JOIN clients AS c ON c.id = a.client_id
WHERE a.id = $1

-- name: list_appeals
-- Per status by its own index, then merged; ($3, $4) is the last row of the page before.
SELECT a.id, a.client_id, a.channel, a.account, a.external_chat_id, a.status, a.ad_id, a.ad_title, a.ad_price,
    a.ad_url, a.opened_at, a.updated_at, a.closed_at, a.close_reason, c.name AS client_name
FROM unnest($1::text[]) AS wanted (status)
CROSS JOIN LATERAL (
    SELECT * FROM appeals
    WHERE appeals.status = wanted.status AND ($2::text IS NULL OR appeals.channel = $2)
        AND (appeals.updated_at, appeals.id) < ($3::timestamptz, $4::bigint)
    ORDER BY appeals.updated_at DESC, appeals.id DESC LIMIT $5
) AS a
JOIN clients AS c ON c.id = a.client_id
ORDER BY a.updated_at DESC, a.id DESC LIMIT $5

-- name: close_appeal
-- A closed one stays as it is.
UPDATE appeals
SET status = 'resolved', closed_at = coalesce(closed_at, $3), close_reason = coalesce(close_reason, $2),
    updated_at = CASE WHEN closed_at IS NULL THEN $3 ELSE updated_at END
WHERE id = $1

-- name: move_appeal
-- A closed one stays where it is.
UPDATE appeals SET channel = $2, account = $3, external_chat_id = $4, updated_at = $5
WHERE id = $1 AND closed_at IS NULL

-- name: merge_appeal
-- Case $1 ends as continued in case $2, which has its messages and turns from now on. A closed one stays.
WITH ended AS (
    UPDATE appeals SET status = 'resolved', closed_at = $4, close_reason = $3, updated_at = $4
    WHERE id = $1 AND closed_at IS NULL
    RETURNING id
), messages AS (
    UPDATE messages_history AS m SET appeal_id = $2 FROM ended WHERE m.appeal_id = ended.id
), sent AS (
    UPDATE outbound AS o SET appeal_id = $2 FROM ended WHERE o.appeal_id = ended.id
), taken AS (
    UPDATE turns AS t SET appeal_id = $2 FROM ended WHERE t.appeal_id = ended.id
)
SELECT id FROM ended
