-- name: person
-- shared: chats in which others write, too.
WITH RECURSIVE merged AS (
    SELECT $1::bigint AS id
    UNION SELECT m.loser_id FROM merged JOIN client_merges AS m ON m.winner_id = merged.id AND m.undone_at IS NULL
), chats AS (
    SELECT channel, account, external_chat_id FROM messages_history WHERE client_id = $1
    UNION SELECT channel, account, external_chat_id FROM turns WHERE client_id = $1
    UNION SELECT channel, account, external_chat_id FROM appeals WHERE client_id = $1
    UNION SELECT channel, account, external_chat_id FROM outbound WHERE client_id = $1
)
SELECT
    ARRAY(SELECT id FROM merged) AS client_ids,
    ARRAY(SELECT id FROM client_merges WHERE winner_id IN (SELECT id FROM merged)
        OR loser_id IN (SELECT id FROM merged)) AS merge_ids,
    ARRAY(SELECT ARRAY[channel, account, external_user_id] FROM identities WHERE client_id = $1) AS handles,
    ARRAY(SELECT ARRAY[channel, account, external_chat_id] FROM chats) AS chats,
    ARRAY(SELECT ARRAY[channel, account, external_chat_id] FROM chats WHERE EXISTS (
        SELECT FROM messages_history AS m
        WHERE m.channel = chats.channel AND m.account = chats.account
            AND m.external_chat_id = chats.external_chat_id AND m.sender = 'customer'
            AND (m.client_id <> $1 OR m.meta ?| ARRAY['author', 'shared'])
    )) AS shared,
    ARRAY(SELECT DISTINCT value FROM client_facts WHERE client_id = $1 AND kind = 'phone'
        AND evidence <> 'mentioned') AS phones,
    ARRAY(SELECT DISTINCT value FROM client_facts WHERE client_id = $1 AND kind = 'email') AS emails,
    ARRAY(SELECT id FROM turns WHERE client_id = $1) AS turn_ids,
    ARRAY(SELECT id FROM appeals WHERE client_id = $1) AS appeal_ids
FROM clients WHERE id = $1

-- name: rows_of_person
-- ($2, $3, $4) chats of their own, ($5, $6, $7) shared ones, ($8, $9, $10) handles.
WITH own AS (
    SELECT * FROM unnest($2::text[], $3::text[], $4::text[]) AS c (channel, account, external_chat_id)
), shared AS (
    SELECT * FROM unnest($5::text[], $6::text[], $7::text[]) AS c (channel, account, external_chat_id)
), handles AS (
    SELECT * FROM unnest($8::text[], $9::text[], $10::text[]) AS h (channel, account, external_user_id)
), said AS (
    SELECT id FROM messages_history WHERE client_id = $1
    UNION SELECT m.id FROM own JOIN messages_history AS m USING (channel, account, external_chat_id)
    UNION SELECT m.id FROM shared JOIN messages_history AS m USING (channel, account, external_chat_id)
        JOIN handles AS h ON h.channel = m.channel AND h.account = m.account
            AND h.external_user_id = m.meta ->> 'author'
), sent AS (
    SELECT id FROM outbound WHERE client_id = $1
    UNION SELECT o.id FROM own JOIN outbound AS o USING (channel, account, external_chat_id)
)
SELECT ARRAY(SELECT id FROM said) AS message_ids, ARRAY(SELECT id FROM sent) AS outbound_ids, ARRAY(
    SELECT ARRAY[m.channel, m.account, m.external_message_id] FROM messages_history AS m JOIN said USING (id)
    WHERE m.external_message_id IS NOT NULL
    UNION SELECT ARRAY[o.channel, o.account, named] FROM outbound AS o JOIN sent USING (id)
    CROSS JOIN LATERAL unnest(o.vendor_message_ids) AS named
) AS sent_ids

-- name: let_others_go
-- In a group somebody else's words may stand in a turn or a case of the client $1: they go to a case of their own.
WITH words AS (
    UPDATE messages_history SET
        turn_id = CASE WHEN turn_id = ANY ($2::bigint[]) THEN NULL ELSE turn_id END,
        appeal_id = CASE WHEN appeal_id = ANY ($3::bigint[]) THEN NULL ELSE appeal_id END
    WHERE client_id <> $1 AND (turn_id = ANY ($2::bigint[]) OR appeal_id = ANY ($3::bigint[]))
), sent AS (
    UPDATE outbound SET appeal_id = NULL WHERE client_id <> $1 AND appeal_id = ANY ($3::bigint[])
)
UPDATE turns AS t SET appeal_id = (
    SELECT a.id FROM appeals AS a
    WHERE a.client_id = t.client_id AND a.channel = t.channel AND a.account = t.account
    ORDER BY a.closed_at IS NULL DESC, a.id DESC LIMIT 1
)
WHERE t.client_id <> $1 AND t.appeal_id = ANY ($3::bigint[])

-- name: keep_shared
-- Whoever is left in a group is not alone there, although nobody else's words stand in it any more.
UPDATE messages_history AS m SET meta = m.meta || '{"shared": true}'
FROM unnest($2::text[], $3::text[], $4::text[]) AS c (channel, account, external_chat_id)
WHERE m.channel = c.channel AND m.account = c.account AND m.external_chat_id = c.external_chat_id
    AND m.sender = 'customer' AND m.client_id <> $1

-- name: forget_refusals
UPDATE bulks AS b SET refused = (
    SELECT coalesce(jsonb_agg(one), '[]') FROM jsonb_array_elements(b.refused) AS one
    WHERE one ->> 'chat_id' <> ALL (own.chats)
)
FROM (
    SELECT channel, account, array_agg(chat) AS chats
    FROM unnest($1::text[], $2::text[], $3::text[]) AS c (channel, account, chat) GROUP BY channel, account
) AS own
WHERE own.channel = b.channel AND own.account = b.account AND EXISTS (
    SELECT FROM jsonb_array_elements(b.refused) AS one WHERE one ->> 'chat_id' = ANY (own.chats)
)

-- name: cancel_unsent
-- Nothing of the client's goes out any more; what a vendor is being given at this moment is not called back.
UPDATE outbound SET state = 'failed', error_code = 'erased', updated_at = $2
WHERE client_id = $1 AND state IN ('scheduled', 'queued')

-- name: begin_erasure
INSERT INTO erasures (client_id, asked_by, started_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING

-- name: end_erasure
UPDATE erasures SET finished_at = $2, counts = $3 WHERE client_id = $1 AND finished_at IS NULL

-- name: finished_erasure
SELECT client_id, finished_at, counts FROM erasures
WHERE client_id = $1 AND finished_at IS NOT NULL ORDER BY id DESC LIMIT 1

-- name: mark_erased
INSERT INTO erasure_marks (mark, erased_at)
SELECT DISTINCT erasure_mark(name), $2::timestamptz FROM unnest($1::text[]) AS name
ON CONFLICT (mark) DO UPDATE SET erased_at = greatest(erasure_marks.erased_at, excluded.erased_at)

-- name: erased_names
SELECT name, e.erased_at FROM unnest($1::text[]) AS name JOIN erasure_marks AS e ON e.mark = erasure_mark(name)

-- name: erasure_salt
SELECT salt FROM erasure_salt

-- name: stored_files
SELECT f.id, c.hash, f.kind, f.name, c.media_type, c.size, m.deleted_at IS NULL AS opens
FROM media AS f JOIN contents AS c ON c.hash = f.content_hash JOIN messages_history AS m ON m.id = f.message_id
WHERE f.message_id = ANY ($1::bigint[]) ORDER BY f.id
