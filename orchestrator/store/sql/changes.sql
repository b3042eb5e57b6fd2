-- name: take_changes
-- Those that other replicas take at this moment are left to them.
DELETE FROM resource_changes
WHERE ctid = ANY (ARRAY(SELECT ctid FROM resource_changes LIMIT $1 FOR UPDATE SKIP LOCKED))
RETURNING kind, channel, account, name
