-- name: insert_outbound
INSERT INTO outbound (
    id, origin, turn_id, appeal_id, client_id, channel, account, external_chat_id, text, image_url,
    buttons, file_url, file_kind, send_at, reply_to, asked_channel, asked_chat, created_at, updated_at,
    state, lane, flow, sender
) VALUES (
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $18,
    CASE WHEN $14::timestamptz > $18::timestamptz THEN 'scheduled' ELSE 'queued' END, $19, $20, $21
)
ON CONFLICT (id) DO NOTHING
RETURNING id

-- name: write_outbound_message
INSERT INTO messages_history (
    client_id, appeal_id, channel, account, external_chat_id, direction, sender, event, message_type,
    message_text, media, meta, reply_to, sent_at, created_at, outbound_id
) VALUES ($1, $2, $3, $4, $5, 'out', $13, 'message', $6, $7, $8, $9, $10, $11, $11, $12)

-- name: whose_chat
-- The client whose message is the latest there, with their open case; who of us spoke last, and when.
SELECT m.client_id, open.id AS appeal_id, m.sender, m.created_at
FROM (
    SELECT client_id, sender, created_at FROM messages_history
    WHERE channel = $1 AND account = $2 AND external_chat_id = $3 ORDER BY id DESC LIMIT 1
) AS m
LEFT JOIN LATERAL (
    SELECT a.id FROM appeals AS a
    WHERE a.client_id = m.client_id AND a.channel = $1 AND a.account = $2 AND a.closed_at IS NULL LIMIT 1
) AS open ON true

-- name: get_outbound
SELECT * FROM outbound WHERE id = $1

-- name: begin_sending
-- A pause that was committed before wins in the same statement: the AI's words that have not begun fail instead.
UPDATE outbound AS o
SET state = CASE WHEN paused.it THEN 'failed' ELSE 'sending' END,
    error_code = CASE WHEN paused.it THEN 'conversation_paused' ELSE o.error_code END,
    error_detail = CASE WHEN paused.it THEN 'A person had the conversation when this was to be sent.' ELSE o.error_detail END,
    attempts = o.attempts + CASE WHEN paused.it THEN 0 ELSE 1 END,
    queued_at = coalesce(o.queued_at, $2), updated_at = $2
FROM (
    SELECT m.id, m.state = 'queued' AND m.sender = 'agent' AND EXISTS (
        SELECT FROM pauses AS p
        WHERE p.channel = m.channel AND p.account = m.account AND p.external_chat_id = m.external_chat_id
            AND p.ended_at IS NULL AND (p.until IS NULL OR p.until > $2)
    ) AS it
    FROM outbound AS m WHERE m.id = $1
) AS paused
WHERE o.id = paused.id AND o.state IN ('queued', 'sending', 'unknown')
RETURNING o.*

-- name: lock_chat_of_outbound
-- The same name as clients.chat_key.
SELECT pg_advisory_xact_lock(hashtextextended(
    'chat|' || channel || '|' || account || '|' || external_chat_id, 0))
FROM outbound WHERE id = $1

-- name: forget_echoes
-- Our own words, taken for an operator's before the vendor had told us their ids.
DELETE FROM messages_history AS m USING outbound AS o
WHERE o.id = $1 AND m.channel = o.channel AND m.account = o.account
    AND m.external_chat_id = o.external_chat_id AND m.external_message_id = ANY ($2::text[])
    AND m.sender = 'operator' AND m.outbound_id IS NULL
RETURNING m.external_message_id

-- name: mark_sent
UPDATE outbound
SET state = CASE WHEN state IN ('delivered', 'read') THEN state ELSE 'sent' END,
    vendor_message_ids = $2, sent_at = coalesce(sent_at, $3), updated_at = $3, error_code = '', error_detail = ''
WHERE id = $1
RETURNING *

-- name: name_sent_message
-- ($4, $5, $6) is its chat. If the id is taken there, by ourselves or by somebody, nothing changes.
UPDATE messages_history AS m SET external_message_id = $2, sent_at = $3
WHERE m.outbound_id = $1 AND NOT EXISTS (
    SELECT FROM messages_history AS other
    WHERE other.channel = $4 AND other.account = $5 AND other.external_chat_id = $6
        AND other.external_message_id = $2
)

-- name: mark_not_sent
-- $6: attempts that do not count. $7: nobody tries it any more.
UPDATE outbound
SET state = $2::text, error_code = $3, error_detail = $4, updated_at = $5::timestamptz,
    attempts = greatest(attempts - $6::integer, 0),
    given_up_at = CASE WHEN $7 AND $2::text = 'unknown' THEN $5::timestamptz END
WHERE id = $1 AND state IN ('queued', 'sending', 'unknown', 'failed')
RETURNING *

-- name: wrote_first
-- Whether anything of the customer's is in the history of a chat.
SELECT EXISTS (
    SELECT FROM messages_history
    WHERE channel = $1 AND account = $2 AND external_chat_id = $3 AND sender = 'customer'
)
