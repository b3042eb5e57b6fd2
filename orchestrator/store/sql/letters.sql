-- name: resend_outbound
-- As reopen, with all its attempts before it. What may be with the vendor stays unknown, and is looked up first.
-- What an operator has settled stays settled.
UPDATE outbound
SET state = CASE state WHEN 'failed' THEN 'queued' ELSE state END, attempts = 0, queued_at = NULL, given_up_at = NULL,
    updated_at = $2
WHERE id = $1 AND (state = 'unknown' OR (state = 'failed' AND given_up_at IS NULL))
RETURNING state
