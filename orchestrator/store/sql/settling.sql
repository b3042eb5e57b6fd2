-- name: cancel_outbound
-- Only what the vendor certainly has not; a reply belongs to its turn, which is answered.
UPDATE outbound SET state = 'cancelled', updated_at = $2
WHERE id = $1 AND origin <> 'reply' AND state IN ('scheduled', 'queued')
RETURNING *

-- name: forget_unsent
-- What was not said is no history.
DELETE FROM messages_history WHERE outbound_id = ANY($1::uuid[]) AND external_message_id IS NULL

-- name: settle_outbound
-- given_up_at stays: what an operator has decided is not tried again under its old id.
UPDATE outbound
SET state = $2::text, error_code = $3, error_detail = $4, updated_at = $5::timestamptz,
    sent_at = CASE WHEN $2::text = 'sent' THEN $5::timestamptz ELSE sent_at END
WHERE id = $1 AND state = 'unknown' AND given_up_at IS NOT NULL
RETURNING *

-- name: list_outbound
SELECT * FROM outbound
WHERE state = $1 AND ($2 = '' OR channel = $2) AND ($3 = '' OR account = $3) AND seq < $4
    AND ($6::bigint IS NULL OR appeal_id = $6)
ORDER BY seq DESC LIMIT $5
