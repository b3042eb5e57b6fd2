-- name: trace_message
-- A message by its vendor's id: as it stands in the history, or as a part of what we sent.
SELECT m.id, m.turn_id, m.outbound_id FROM messages_history AS m
WHERE m.channel = $1 AND m.account = $2 AND m.external_chat_id = $3 AND m.external_message_id = $4
UNION ALL
SELECT NULL, NULL, o.id FROM outbound AS o
WHERE o.channel = $1 AND o.account = $2 AND o.external_chat_id = $3 AND $4 = ANY (o.vendor_message_ids)
LIMIT 1

-- name: traced_messages
-- The messages of a turn, or this one only.
SELECT m.id, m.channel, m.account, m.external_chat_id, m.external_message_id, m.sender, m.event, m.meta,
    m.received_at, m.gathered_at, m.due_at, m.sent_at, m.created_at, m.edited_at, m.deleted_at
FROM messages_history AS m
WHERE m.id = $1 OR ($1::bigint IS NULL AND m.turn_id = $2)
ORDER BY m.id LIMIT $3

-- name: traced_leases
SELECT token, agent, began_at, ended_at, outcome FROM turn_leases WHERE turn_id = $1 ORDER BY id DESC LIMIT $2

-- name: traced_deliveries
-- The answer to a turn, or this delivery.
SELECT o.* FROM outbound AS o
WHERE o.id = $1 OR ($1::uuid IS NULL AND o.turn_id = $2 AND o.origin = 'reply')
ORDER BY o.seq LIMIT $3

-- name: traced_steps
SELECT outbound_id, attempt, began_at, ended_at, outcome, code, detail, times FROM outbound_steps
WHERE outbound_id = ANY ($1::uuid[]) ORDER BY id DESC LIMIT $2
