-- name: known_messages
SELECT asked.channel, asked.account, asked.external_chat_id, asked.external_message_id, known.turn_id
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
    AS asked (channel, account, external_chat_id, external_message_id)
CROSS JOIN LATERAL (
    SELECT m.turn_id FROM messages_history AS m
    WHERE m.channel = asked.channel AND m.account = asked.account
        AND m.external_chat_id = asked.external_chat_id AND m.external_message_id = asked.external_message_id
    LIMIT 1
) AS known

-- name: our_own_messages
-- Which of these an operator seems to have written, while they are parts of what we sent.
SELECT asked.channel, asked.account, asked.external_chat_id, asked.external_message_id
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
    AS asked (channel, account, external_chat_id, external_message_id)
JOIN outbound AS o USING (channel, account, external_chat_id)
WHERE asked.external_message_id = ANY (o.vendor_message_ids)

-- name: write_messages
-- The latest message of each turn is advanced in the same breath.
WITH written AS (
    INSERT INTO messages_history (
        client_id, appeal_id, turn_id, channel, account, external_chat_id, external_message_id,
        direction, sender, event, message_type, message_text, media, meta, reply_to,
        sent_at, edited_at, deleted_at, external_user_id, received_at, gathered_at, due_at, created_at
    )
    SELECT client_id, appeal_id, turn_id, channel, account, external_chat_id, external_message_id,
        direction, sender, event, message_type, message_text, media::jsonb, meta::jsonb, reply_to,
        sent_at, edited_at, deleted_at, external_user_id, received_at, gathered_at, due_at, $23::timestamptz
    FROM unnest(
        $1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[],
        $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[],
        $16::timestamptz[], $17::timestamptz[], $18::timestamptz[], $19::text[],
        $20::timestamptz[], $21::timestamptz[], $22::timestamptz[]
    ) WITH ORDINALITY AS new (
        client_id, appeal_id, turn_id, channel, account, external_chat_id, external_message_id,
        direction, sender, event, message_type, message_text, media, meta, reply_to,
        sent_at, edited_at, deleted_at, external_user_id, received_at, gathered_at, due_at, ord
    )
    ORDER BY ord
    ON CONFLICT ON CONSTRAINT messages_vendor_id DO NOTHING
    RETURNING id, turn_id
), latest AS (
    SELECT turn_id, max(id) AS id FROM written WHERE turn_id IS NOT NULL GROUP BY turn_id
)
UPDATE turns AS t SET latest_message_id = latest.id FROM latest WHERE t.id = latest.turn_id

-- name: apply_edits
-- An edit repeated, or older than the one applied, changes nothing. The first words are kept in meta. The change
-- gets a number after those of all messages before it, so a reply to the words that were is refused.
WITH edited AS (
    UPDATE messages_history AS m
    SET message_text = e.message_text, media = e.media::jsonb, message_type = e.message_type, edited_at = e.at,
        change_id = nextval(pg_get_serial_sequence('messages_history', 'id')),
        meta = CASE WHEN m.meta ? 'original_text' THEN m.meta
            ELSE m.meta || jsonb_build_object('original_text', m.message_text) END
    FROM unnest(
        $1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::text[], $7::text[], $8::text[]
    ) AS e (channel, account, external_chat_id, external_message_id, at, message_text, media, message_type)
    WHERE m.channel = e.channel AND m.account = e.account AND m.external_chat_id = e.external_chat_id
        AND m.external_message_id = e.external_message_id
        AND (m.edited_at IS NULL OR m.edited_at <= e.at)
        AND (m.message_text, m.media) IS DISTINCT FROM (e.message_text, e.media::jsonb)
    RETURNING m.turn_id, m.change_id
), latest AS (
    SELECT turn_id, max(change_id) AS id FROM edited WHERE turn_id IS NOT NULL GROUP BY turn_id
)
UPDATE turns AS t SET latest_message_id = latest.id
FROM latest WHERE t.id = latest.turn_id AND t.status IN ('ready', 'leased')

-- name: apply_deletes
-- A change with a number, as an edit. A turn that waits and has nothing left to answer is closed.
WITH deleted AS (
    UPDATE messages_history AS m
    SET deleted_at = d.at, change_id = nextval(pg_get_serial_sequence('messages_history', 'id'))
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[])
        AS d (channel, account, external_chat_id, external_message_id, at)
    WHERE m.channel = d.channel AND m.account = d.account AND m.external_chat_id = d.external_chat_id
        AND m.external_message_id = d.external_message_id AND m.deleted_at IS NULL
    RETURNING m.id, m.turn_id, m.change_id
), touched AS (
    SELECT unfinished.id, latest.change_id, unfinished.status = 'ready' AND NOT EXISTS (
        SELECT FROM messages_history AS m
        WHERE m.turn_id = unfinished.id AND m.deleted_at IS NULL AND m.id NOT IN (SELECT id FROM deleted)
    ) AS nothing_left
    FROM (SELECT turn_id, max(change_id) AS change_id FROM deleted GROUP BY turn_id) AS latest
    CROSS JOIN LATERAL (
        SELECT t.id, t.status FROM turns AS t WHERE t.id = latest.turn_id AND t.status IN ('ready', 'leased')
        LIMIT 1 FOR NO KEY UPDATE
    ) AS unfinished
)
UPDATE turns AS t
SET latest_message_id = touched.change_id,
    status = CASE WHEN touched.nothing_left THEN 'closed' ELSE t.status END,
    committed_at = CASE WHEN touched.nothing_left THEN $6 ELSE t.committed_at END
FROM touched WHERE t.id = touched.id

-- name: apply_reactions
UPDATE messages_history AS m
SET meta = m.meta || jsonb_build_object('reaction', r.reaction)
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[])
    AS r (channel, account, external_chat_id, external_message_id, reaction)
WHERE m.channel = r.channel AND m.account = r.account AND m.external_chat_id = r.external_chat_id
    AND m.external_message_id = r.external_message_id

-- name: apply_receipts
-- A state only moves forward. Ids are looked for within their chat: some vendors count per chat. Who has read
-- a message has had everything before it on the screen, and many vendors name the last one only, also when an
-- operator wrote it by hand. What was replayed later stands behind it there. A message in several parts has
-- arrived, or was read, when its last part has.
UPDATE outbound AS o
SET state = $5, updated_at = $6
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
    AS r (channel, account, external_chat_id, external_message_id)
CROSS JOIN LATERAL (
    SELECT max(named.seq) AS seq,
        bool_or(named.vendor_message_ids[cardinality(named.vendor_message_ids)] = r.external_message_id) AS whole,
        coalesce(max(named.sent_at), (
        SELECT m.sent_at FROM messages_history AS m
        WHERE m.channel = r.channel AND m.account = r.account AND m.external_chat_id = r.external_chat_id
            AND m.external_message_id = r.external_message_id
    )) AS sent_at
    FROM outbound AS named
    WHERE named.channel = r.channel AND named.account = r.account
        AND named.external_chat_id = r.external_chat_id
        AND r.external_message_id = ANY (named.vendor_message_ids)
) AS last
WHERE o.channel = r.channel AND o.account = r.account AND o.external_chat_id = r.external_chat_id
    AND (
        (
            o.seq = last.seq AND last.whole AND (
                o.state IN ('queued', 'sending', 'unknown', 'failed', 'sent')
                OR ($5 = 'read' AND o.state = 'delivered')
            )
        ) OR (
            $5 = 'read' AND o.state IN ('sent', 'delivered')
            AND (last.seq IS NULL OR o.seq < last.seq) AND o.sent_at <= last.sent_at
        )
    )

-- name: keep_early_receipts
-- A receipt that overtakes the vendor's answer to the send: nobody knows the id yet. Those of others go in a day.
WITH old AS (
    DELETE FROM early_receipts WHERE received_at < $6::timestamptz - interval '1 day'
)
INSERT INTO early_receipts AS known (
    channel, account, external_chat_id, external_message_id, state, received_at
)
SELECT DISTINCT r.channel, r.account, r.external_chat_id, r.external_message_id, $5::text, $6::timestamptz
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
    AS r (channel, account, external_chat_id, external_message_id)
WHERE EXISTS (
    SELECT FROM outbound AS o
    WHERE o.channel = r.channel AND o.account = r.account AND o.external_chat_id = r.external_chat_id
        AND o.state IN ('sending', 'unknown')
) AND NOT EXISTS (
    SELECT FROM outbound AS o
    WHERE o.channel = r.channel AND o.account = r.account AND o.external_chat_id = r.external_chat_id
        AND r.external_message_id = ANY (o.vendor_message_ids)
)
ON CONFLICT (channel, account, external_chat_id, external_message_id)
DO UPDATE SET state = CASE WHEN known.state = 'read' THEN 'read' ELSE excluded.state END

-- name: take_early_receipts
DELETE FROM early_receipts
WHERE channel = $1 AND account = $2 AND external_chat_id = $3 AND external_message_id = ANY ($4::text[])
RETURNING external_message_id, state

-- name: messages_of_turn
-- In the order in which they were written; those that came, or were changed, after number $2.
SELECT m.id, m.direction, m.sender, m.event, m.message_type, m.message_text, m.media, m.meta, m.reply_to,
    m.external_message_id, m.external_chat_id, m.sent_at, m.edited_at, m.deleted_at, m.outbound_id, o.state,
    m.change_id, coalesce(quoted.words, part.text) AS quoted
FROM messages_history AS m
LEFT JOIN outbound AS o ON o.id = m.outbound_id
LEFT JOIN LATERAL (
    SELECT CASE WHEN q.deleted_at IS NULL THEN coalesce(nullif(q.message_text, ''), '[' || q.message_type || ']')
        ELSE '[deleted]' END AS words
    FROM messages_history AS q
    WHERE q.channel = m.channel AND q.account = m.account AND q.external_chat_id = m.external_chat_id
        AND q.external_message_id = m.reply_to LIMIT 1
) AS quoted ON true
LEFT JOIN LATERAL (
    -- A later part of a long message of ours: the history names the first part only.
    SELECT own.text FROM outbound AS own
    WHERE quoted.words IS NULL AND m.reply_to IS NOT NULL AND own.channel = m.channel
        AND own.account = m.account AND own.external_chat_id = m.external_chat_id
        AND m.reply_to = ANY (own.vendor_message_ids) LIMIT 1
) AS part ON true
WHERE m.turn_id = $1 AND greatest(m.id, m.change_id) > $2
ORDER BY m.sent_at, m.id

-- name: messages_of_appeal
SELECT m.id, m.direction, m.sender, m.event, m.message_type, m.message_text, m.media, m.meta, m.reply_to,
    m.external_message_id, m.external_chat_id, m.sent_at, m.edited_at, m.deleted_at, m.outbound_id, o.state
FROM messages_history AS m
LEFT JOIN outbound AS o ON o.id = m.outbound_id
WHERE m.appeal_id = $1
ORDER BY m.id DESC LIMIT $2

-- name: messages_of_chat
SELECT m.id, m.direction, m.sender, m.event, m.message_type, m.message_text, m.media, m.meta, m.reply_to,
    m.external_message_id, m.external_chat_id, m.sent_at, m.edited_at, m.deleted_at, m.outbound_id, o.state
FROM messages_history AS m
LEFT JOIN outbound AS o ON o.id = m.outbound_id
WHERE m.channel = $1 AND m.account = $2 AND m.external_chat_id = $3 AND m.id < $5
ORDER BY m.id DESC LIMIT $4

-- name: messages_around_turn
-- What was said in the turn's chat beside the turn: before it, and meanwhile by others; nothing of later turns.
-- With it what its case has of other channels (a form that goes on in a messenger), and what went another way
-- to the client of a chat that has none back.
WITH turn AS (SELECT * FROM turns WHERE id = $1), said AS (
    (
        SELECT m.id FROM turn JOIN messages_history AS m USING (channel, account, external_chat_id)
        WHERE m.turn_id IS NULL OR m.turn_id < $1
        ORDER BY m.id DESC LIMIT $2
    ) UNION (
        SELECT m.id FROM turn JOIN messages_history AS m USING (appeal_id)
        WHERE m.channel <> turn.channel AND (m.turn_id IS NULL OR m.turn_id < $1)
        ORDER BY m.id DESC LIMIT $2
    ) UNION (
        SELECT m.id FROM turn
        JOIN outbound AS o ON o.asked_channel <> '' AND o.asked_channel = turn.channel
            AND o.asked_chat = turn.external_chat_id AND o.client_id = turn.client_id
        JOIN messages_history AS m ON m.outbound_id = o.id
        ORDER BY m.id DESC LIMIT $2
    )
)
SELECT m.id, m.direction, m.sender, m.event, m.message_type, m.message_text, m.media, m.meta, m.reply_to,
    m.external_message_id, m.external_chat_id, m.sent_at, m.edited_at, m.deleted_at, m.outbound_id, o.state
FROM said JOIN messages_history AS m USING (id)
LEFT JOIN outbound AS o ON o.id = m.outbound_id
ORDER BY m.id DESC LIMIT $2
