-- name: open_or_touch_appeals
-- The client's row is locked by then: nobody else opens or closes one. A new ad replaces the old one whole. One that
-- was resolved after $10 is opened again. In a conversation that a person has, a case is handed off.
WITH wanted AS (
    SELECT w.*, EXISTS (
        SELECT FROM pauses AS p
        WHERE p.channel = w.channel AND p.account = w.account AND p.external_chat_id = w.external_chat_id
            AND p.ended_at IS NULL AND (p.until IS NULL OR p.until > $9)
    ) AS in_pause
    FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[])
        AS w (client_id, channel, account, external_chat_id, ad_id, ad_title, ad_price, ad_url)
), found AS (
    SELECT latest.id, latest.status AS before, wanted.* FROM wanted CROSS JOIN LATERAL (
        SELECT a.id, a.status FROM appeals AS a
        WHERE a.client_id = wanted.client_id AND a.channel = wanted.channel AND a.account = wanted.account
            AND (a.closed_at IS NULL OR (a.closed_at > $10 AND a.reopenable))
        ORDER BY a.closed_at DESC NULLS FIRST, a.id DESC
        LIMIT 1 FOR NO KEY UPDATE
    ) AS latest
), touched AS (
    UPDATE appeals AS a
    SET external_chat_id = w.external_chat_id, updated_at = $9, look_again_at = 'epoch',
        status = CASE WHEN w.in_pause OR a.status = 'handed_off' THEN 'handed_off' ELSE 'open' END,
        snoozed_until = NULL, closed_at = NULL, close_reason = NULL,
        reopened_at = CASE WHEN w.before = 'resolved' THEN $9 ELSE a.reopened_at END,
        reopen_count = a.reopen_count + (w.before = 'resolved')::integer,
        ad_id = coalesce(w.ad_id, a.ad_id),
        ad_title = CASE WHEN w.ad_id <> a.ad_id THEN w.ad_title ELSE coalesce(w.ad_title, a.ad_title) END,
        ad_price = CASE WHEN w.ad_id <> a.ad_id THEN w.ad_price ELSE coalesce(w.ad_price, a.ad_price) END,
        ad_url = CASE WHEN w.ad_id <> a.ad_id THEN w.ad_url ELSE coalesce(w.ad_url, a.ad_url) END
    FROM found AS w
    WHERE a.id = w.id
    RETURNING a.id, a.client_id, a.channel, a.account, w.before, a.status, w.in_pause
), opened AS (
    INSERT INTO appeals (
        client_id, channel, account, external_chat_id, ad_id, ad_title, ad_price, ad_url, status, opened_at, updated_at
    )
    SELECT w.client_id, w.channel, w.account, w.external_chat_id, w.ad_id, w.ad_title, w.ad_price, w.ad_url,
        CASE WHEN w.in_pause THEN 'handed_off' ELSE 'open' END, $9::timestamptz, $9
    FROM wanted AS w
    WHERE NOT EXISTS (
        SELECT FROM touched AS t
        WHERE t.client_id = w.client_id AND t.channel = w.channel AND t.account = w.account
    )
    RETURNING id, client_id, channel, account, '' AS before, status, status = 'handed_off' AS in_pause
), all_of_them AS (
    SELECT * FROM touched UNION ALL SELECT * FROM opened
), noted AS (
    INSERT INTO appeal_events (appeal_id, at, actor, event, from_status, to_status)
    SELECT id, $9, 'customer', CASE WHEN in_pause THEN 'customer_writes_in_pause' ELSE 'customer_writes' END,
        before, status
    FROM all_of_them WHERE before <> status
)
SELECT id, client_id, channel, account FROM all_of_them

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
    a.ad_url, a.opened_at, a.updated_at, a.closed_at, a.close_reason, a.priority, a.tags, a.snoozed_until,
    a.reopened_at, a.reopen_count, c.name AS client_name
FROM appeals AS a JOIN clients AS c ON c.id = a.client_id
WHERE a.id = $1

-- name: list_appeals
-- Per status by its own index, then merged; ($3, $4) is the last row of the page before.
SELECT a.id, a.client_id, a.channel, a.account, a.external_chat_id, a.status, a.ad_id, a.ad_title, a.ad_price,
    a.ad_url, a.opened_at, a.updated_at, a.closed_at, a.close_reason, a.priority, a.tags, a.snoozed_until,
    a.reopened_at, a.reopen_count, c.name AS client_name
FROM unnest($1::text[]) AS wanted (status)
CROSS JOIN LATERAL (
    SELECT * FROM appeals
    WHERE appeals.status = wanted.status AND ($2::text IS NULL OR appeals.channel = $2)
        AND (appeals.updated_at, appeals.id) < ($3::timestamptz, $4::bigint)
    ORDER BY appeals.updated_at DESC, appeals.id DESC LIMIT $5
) AS a
JOIN clients AS c ON c.id = a.client_id
ORDER BY a.updated_at DESC, a.id DESC LIMIT $5

-- name: lock_client_of_appeal
SELECT c.id FROM appeals AS a JOIN clients AS c ON c.id = a.client_id WHERE a.id = $1 FOR NO KEY UPDATE OF c

-- name: lock_appeal
SELECT status FROM appeals WHERE id = $1 FOR NO KEY UPDATE

-- name: change_status
-- The journal has it in the same breath. $2 before, $3 after, $4 event, $5 who, $6 why, $7 now, $8 snoozed until.
WITH changed AS (
    UPDATE appeals AS a
    SET status = $3, updated_at = $7, snoozed_until = $8, look_again_at = 'epoch',
        closed_at = CASE WHEN $3 = 'resolved' THEN coalesce(a.closed_at, $7) END,
        close_reason = CASE WHEN $3 = 'resolved' THEN coalesce(a.close_reason, $6) END,
        reopened_at = CASE WHEN $2 = 'resolved' AND $3 <> 'resolved' THEN $7 ELSE a.reopened_at END,
        reopen_count = a.reopen_count + ($2 = 'resolved' AND $3 <> 'resolved')::integer
    WHERE id = $1
    RETURNING a.id
)
INSERT INTO appeal_events (appeal_id, at, actor, event, from_status, to_status, reason)
SELECT id, $7, $5, $4, $2, $3, $6 FROM changed

-- name: answer_appeal
-- The agent $3 has answered the turn $4: the customer's turn to write, unless more of them waits for an answer.
WITH known AS (
    SELECT id, status FROM appeals WHERE id = $1 FOR NO KEY UPDATE
), answered AS (
    UPDATE appeals AS a
    SET updated_at = $2, status = CASE
        WHEN known.status = 'open' AND NOT EXISTS (
            SELECT FROM turns AS t WHERE t.appeal_id = $1 AND t.id <> $4 AND t.status IN ('ready', 'leased')
        ) THEN 'waiting_client' ELSE known.status END
    FROM known WHERE a.id = known.id
    RETURNING a.id, known.status AS before, a.status
)
INSERT INTO appeal_events (appeal_id, at, actor, event, from_status, to_status)
SELECT id, $2, $3, 'agent_replies', before, status FROM answered WHERE before <> status

-- name: mark_appeal
-- Tags are kept in their order, each once. $5: at most so many.
UPDATE appeals AS a
SET priority = coalesce($2, a.priority), updated_at = $6, tags = (
    SELECT coalesce((array_agg(tag ORDER BY place))[1:$5], '{}') FROM (
        SELECT tag, min(place) AS place FROM unnest(a.tags || $3::text[]) WITH ORDINALITY AS said (tag, place)
        WHERE tag <> ALL ($4::text[]) GROUP BY tag
    ) AS kept
)
WHERE id = $1

-- name: add_note
INSERT INTO appeal_notes (appeal_id, at, author, text)
SELECT id, $2, $3, $4 FROM appeals WHERE id = $1
RETURNING id

-- name: notes_of_appeal
SELECT id, at, author, text FROM appeal_notes WHERE appeal_id = $1 ORDER BY id DESC LIMIT $2

-- name: journal_of_appeal
SELECT id, at, actor, event, from_status, to_status, reason FROM appeal_events
WHERE appeal_id = $1 AND id < $3 ORDER BY id DESC LIMIT $2

-- name: appeals_to_wake
SELECT id FROM appeals WHERE status = 'snoozed' AND snoozed_until <= $1 ORDER BY snoozed_until LIMIT $2

-- name: appeal_is_due
SELECT EXISTS (SELECT FROM appeals WHERE id = $1 AND status = 'snoozed' AND snoozed_until <= $2)

-- name: appeals_at_rest
-- Nothing has happened since $1 and nobody waits for an answer.
SELECT a.id FROM appeals AS a
WHERE a.status IN ('open', 'waiting_client') AND a.updated_at <= $1 AND NOT EXISTS (
    SELECT FROM turns AS t WHERE t.appeal_id = a.id AND t.status IN ('ready', 'leased')
)
ORDER BY a.updated_at LIMIT $2

-- name: appeal_is_at_rest
SELECT EXISTS (
    SELECT FROM appeals AS a
    WHERE a.id = $1 AND a.updated_at <= $2 AND NOT EXISTS (
        SELECT FROM turns AS t WHERE t.appeal_id = a.id AND t.status IN ('ready', 'leased')
    )
)

-- name: appeals_to_look_at
-- With a person, and one of their pauses may be over.
SELECT id, channel, account, external_chat_id FROM appeals
WHERE status = 'handed_off' AND look_again_at <= $1 ORDER BY look_again_at LIMIT $2

-- name: appeal_is_given_back
-- Handed off, and no person has any of its conversations any more.
SELECT EXISTS (SELECT FROM appeals AS a WHERE a.id = $1 AND a.status = 'handed_off') AND NOT EXISTS (
    SELECT FROM (
        SELECT a.channel, a.account, a.external_chat_id FROM appeals AS a WHERE a.id = $1
        UNION SELECT m.channel, m.account, m.external_chat_id FROM messages_history AS m WHERE m.appeal_id = $1
    ) AS chat
    JOIN pauses AS p USING (channel, account, external_chat_id)
    WHERE p.ended_at IS NULL AND (p.until IS NULL OR p.until > $2)
)

-- name: look_again
-- When the next of its pauses ends, and at $3 at the latest: conversations go to other cases in merges.
UPDATE appeals SET look_again_at = least($3::timestamptz, (
    SELECT min(p.until) FROM (
        SELECT a.channel, a.account, a.external_chat_id FROM appeals AS a WHERE a.id = $1
        UNION SELECT m.channel, m.account, m.external_chat_id FROM messages_history AS m WHERE m.appeal_id = $1
    ) AS chat
    JOIN pauses AS p USING (channel, account, external_chat_id)
    WHERE p.ended_at IS NULL AND p.until > $2
))
WHERE id = $1

-- name: move_appeal
-- A closed one stays where it is.
UPDATE appeals SET channel = $2, account = $3, external_chat_id = $4, updated_at = $5
WHERE id = $1 AND closed_at IS NULL

-- name: merge_appeal
-- Case $1 ends as continued in case $2, which has its messages and turns from now on. A closed one stays.
WITH known AS (
    SELECT id, status FROM appeals WHERE id = $1 AND closed_at IS NULL FOR NO KEY UPDATE
), ended AS (
    UPDATE appeals AS a
    SET status = 'resolved', closed_at = $4, close_reason = $3, updated_at = $4, snoozed_until = NULL,
        reopenable = false
    FROM known WHERE a.id = known.id
    RETURNING a.id, known.status AS before
), noted AS (
    INSERT INTO appeal_events (appeal_id, at, actor, event, from_status, to_status, reason)
    SELECT id, $4, 'system', 'goes_on_elsewhere', before, 'resolved', $3 FROM ended
), messages AS (
    UPDATE messages_history AS m SET appeal_id = $2 FROM ended WHERE m.appeal_id = ended.id
), sent AS (
    UPDATE outbound AS o SET appeal_id = $2 FROM ended WHERE o.appeal_id = ended.id
), taken AS (
    UPDATE turns AS t SET appeal_id = $2 FROM ended WHERE t.appeal_id = ended.id
)
SELECT id FROM ended
