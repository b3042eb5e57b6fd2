-- What came between a merge and its undoing goes to the side whose handle it came by. In all of these $1 is the
-- client who stays and $2 the one who is separated; what the merge had moved is back with $2 by now.

-- name: separate_new_handles
-- A handle that joined since: by the phone that only $2 has, or by a chat that is theirs. $3: newer than this id.
UPDATE identities AS i SET client_id = $2
WHERE i.client_id = $1 AND i.id > $3 AND (
    (
        EXISTS (
            SELECT FROM client_facts AS f
            WHERE f.client_id = $2 AND f.kind = 'phone' AND f.evidence IN ('vendor', 'form')
                AND (f.value = '+' || i.external_user_id OR f.value IN (
                    SELECT own.value FROM client_facts AS own
                    WHERE own.kind = 'phone' AND own.channel = i.channel AND own.account = i.account
                        AND own.external_user_id = i.external_user_id
                ))
        ) AND NOT EXISTS (
            SELECT FROM client_facts AS f
            WHERE f.client_id = $1 AND f.kind = 'phone' AND f.evidence IN ('vendor', 'form')
                AND (f.channel, f.account, f.external_user_id) <> (i.channel, i.account, i.external_user_id)
                AND (f.value = '+' || i.external_user_id OR f.value IN (
                    SELECT own.value FROM client_facts AS own
                    WHERE own.kind = 'phone' AND own.channel = i.channel AND own.account = i.account
                        AND own.external_user_id = i.external_user_id
                ))
        )
    ) OR EXISTS (
        SELECT FROM messages_history AS said
        JOIN messages_history AS before USING (channel, account, external_chat_id)
        WHERE said.channel = i.channel AND said.account = i.account
            AND said.external_user_id = i.external_user_id AND said.client_id = $1 AND before.client_id = $2
    )
)

-- name: separate_facts
UPDATE client_facts AS f SET client_id = $2 FROM identities AS i
WHERE f.client_id = $1 AND i.client_id = $2 AND i.channel = f.channel AND i.account = f.account
    AND i.external_user_id = f.external_user_id

-- name: separate_messages
-- What was written by a handle of theirs. $3: newer than this id.
UPDATE messages_history AS m SET client_id = $2 FROM identities AS i
WHERE m.client_id = $1 AND m.id > $3 AND i.client_id = $2 AND i.channel = m.channel AND i.account = m.account
    AND i.external_user_id = m.external_user_id

-- name: separate_answers
-- What was said to them, or by the vendor, in a chat that is theirs alone. $3: newer than this id.
UPDATE messages_history AS m SET client_id = $2
WHERE m.client_id = $1 AND m.external_user_id IS NULL AND m.id > $3 AND (
    EXISTS (
        SELECT FROM messages_history AS theirs
        WHERE theirs.client_id = $2 AND theirs.channel = m.channel AND theirs.account = m.account
            AND theirs.external_chat_id = m.external_chat_id
    ) OR EXISTS (
        SELECT FROM identities AS i
        WHERE i.client_id = $2 AND i.channel = m.channel AND i.account = m.account
            AND i.external_user_id = m.external_chat_id
    )
) AND NOT EXISTS (
    SELECT FROM messages_history AS others
    WHERE others.client_id = $1 AND others.external_user_id IS NOT NULL AND others.channel = m.channel
        AND others.account = m.account AND others.external_chat_id = m.external_chat_id
)

-- name: separate_turns
-- Whose first message it has; one whose messages have moved on goes with its chat. $3: newer than this id.
UPDATE turns AS t SET client_id = $2
WHERE t.client_id = $1 AND t.id > $3 AND $2 = coalesce((
    SELECT m.client_id FROM messages_history AS m WHERE m.turn_id = t.id ORDER BY m.id LIMIT 1
), (
    SELECT max(m.client_id) FROM messages_history AS m
    WHERE m.channel = t.channel AND m.account = t.account AND m.external_chat_id = t.external_chat_id
        AND m.client_id IN ($1, $2)
    HAVING count(DISTINCT m.client_id) = 1
))

-- name: separate_outbound
-- An answer goes with its turn, whichever way it was sent; anything else with its line in the history.
UPDATE outbound AS o SET client_id = $2
WHERE o.client_id = $1 AND $2 = coalesce((
    SELECT t.client_id FROM turns AS t WHERE t.id = o.turn_id
), (
    SELECT m.client_id FROM messages_history AS m
    WHERE o.asked_channel <> '' AND m.channel = o.asked_channel AND m.external_chat_id = o.asked_chat
        AND m.client_id IN ($1, $2)
    ORDER BY m.id DESC LIMIT 1
), (
    SELECT m.client_id FROM messages_history AS m WHERE m.outbound_id = o.id LIMIT 1
))

-- name: end_with_the_older_case
-- The younger case $2 had gone on in the older one, which has ended since: it comes back as ended, too.
UPDATE client_merge_rows AS r SET before = r.before || jsonb_build_object(
    'status', o.status, 'closed_at', o.closed_at, 'close_reason', o.close_reason, 'snoozed_until', NULL
)
FROM appeals AS o
WHERE r.merge_id = $1 AND r.table_name = 'appeals' AND r.row_key = jsonb_build_object('id', $2::bigint)
    AND r.before ? 'reopenable' AND o.id = $3 AND o.closed_at IS NOT NULL

-- name: separate_new_cases
-- Cases that were opened since and have only words of theirs. $3: newer than this id.
UPDATE appeals AS a SET client_id = $2
WHERE a.client_id = $1 AND a.id > $3
    AND EXISTS (SELECT FROM messages_history AS m WHERE m.appeal_id = a.id AND m.client_id = $2)
    AND NOT EXISTS (SELECT FROM messages_history AS m WHERE m.appeal_id = a.id AND m.client_id = $1)
    AND (a.closed_at IS NOT NULL OR NOT EXISTS (
        SELECT FROM appeals AS own WHERE own.client_id = $2 AND own.channel = a.channel
            AND own.account = a.account AND own.closed_at IS NULL
    ))

-- name: words_in_the_others_case
-- New words, or those of a form that has gone on in a messenger. $3, $4: newer than these messages and turns.
SELECT DISTINCT m.client_id, m.appeal_id, m.channel, m.account
FROM (
    SELECT client_id, appeal_id, channel, account, id > $3 AS is_new FROM messages_history
    WHERE client_id IN ($1, $2)
    UNION ALL
    SELECT client_id, appeal_id, channel, account, id > $4 FROM turns WHERE client_id IN ($1, $2)
) AS m
JOIN appeals AS a ON a.id = m.appeal_id
WHERE a.client_id IN ($1, $2) AND a.client_id <> m.client_id AND (m.is_new OR m.channel <> a.channel)
ORDER BY m.appeal_id, m.channel, m.account

-- name: client_of_case
SELECT client_id FROM appeals WHERE id = $1

-- name: open_case_of
SELECT id FROM appeals WHERE client_id = $1 AND channel = $2 AND account = $3 AND closed_at IS NULL

-- name: split_case
-- A case of their own for what $1 wrote in case $2 on this channel and account; as open or closed as that one is.
INSERT INTO appeals (
    client_id, channel, account, external_chat_id, status, ad_id, ad_title, ad_price, ad_url, opened_at,
    updated_at, closed_at, close_reason, priority, tags, snoozed_until, reopenable
)
SELECT $1, $3, $4, said.external_chat_id, a.status, a.ad_id, a.ad_title, a.ad_price, a.ad_url, said.first_at,
    a.updated_at, a.closed_at, a.close_reason, a.priority, a.tags, a.snoozed_until, a.reopenable
FROM appeals AS a CROSS JOIN LATERAL (
    SELECT min(m.sent_at) AS first_at, (array_agg(m.external_chat_id ORDER BY m.id DESC))[1] AS external_chat_id
    FROM messages_history AS m
    WHERE m.appeal_id = a.id AND m.client_id = $1 AND m.channel = $3 AND m.account = $4
) AS said
WHERE a.id = $2 AND said.first_at IS NOT NULL
RETURNING id

-- name: move_words
-- What client $1 has in case $2 is in case $3 from now on.
WITH said AS (
    UPDATE messages_history SET appeal_id = $3 WHERE client_id = $1 AND appeal_id = $2
), taken AS (
    UPDATE turns SET appeal_id = $3 WHERE client_id = $1 AND appeal_id = $2
)
UPDATE outbound SET appeal_id = $3 WHERE client_id = $1 AND appeal_id = $2

-- name: readdress_cases
-- A case whose chat is the other side's by now goes back to the last chat in which its own client wrote.
UPDATE appeals AS a
SET channel = own.channel, account = own.account, external_chat_id = own.external_chat_id
FROM (
    SELECT DISTINCT ON (m.appeal_id) m.appeal_id, m.channel, m.account, m.external_chat_id
    FROM messages_history AS m JOIN appeals AS c ON c.id = m.appeal_id AND c.client_id = m.client_id
    WHERE m.client_id IN ($1, $2) AND m.sender = 'customer'
    ORDER BY m.appeal_id, m.id DESC
) AS own
WHERE a.id = own.appeal_id AND NOT EXISTS (
    SELECT FROM messages_history AS m
    WHERE m.client_id = a.client_id AND m.channel = a.channel AND m.account = a.account
        AND m.external_chat_id = a.external_chat_id
) AND EXISTS (
    SELECT FROM messages_history AS m
    WHERE m.client_id IN ($1, $2) AND m.client_id <> a.client_id AND m.channel = a.channel
        AND m.account = a.account AND m.external_chat_id = a.external_chat_id
) AND (a.closed_at IS NOT NULL OR NOT EXISTS (
    SELECT FROM appeals AS c WHERE c.client_id = a.client_id AND c.id <> a.id AND c.channel = own.channel
        AND c.account = own.account AND c.closed_at IS NULL
))
