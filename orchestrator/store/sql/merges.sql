-- name: keys_of_client
-- All that is locked before a client is merged, separated or erased: the names of clients.py.
SELECT 'client|' || $1::bigint AS key
UNION SELECT 'handle|' || channel || '|' || account || '|' || external_user_id FROM identities WHERE client_id = $1
UNION SELECT 'phone|' || value FROM client_facts WHERE client_id = $1 AND kind = 'phone'
UNION SELECT 'chat|' || channel || '|' || account || '|' || external_chat_id FROM (
    SELECT channel, account, external_chat_id FROM messages_history WHERE client_id = $1
    UNION SELECT channel, account, external_chat_id FROM appeals WHERE client_id = $1
    UNION SELECT channel, account, external_chat_id FROM turns WHERE client_id = $1
    UNION SELECT channel, account, external_chat_id FROM outbound WHERE client_id = $1
) AS chat

-- name: rows_of_clients_for_update
SELECT c.id, to_jsonb(c) AS whole FROM clients AS c WHERE c.id = ANY($1::bigint[]) ORDER BY c.id FOR UPDATE

-- name: follow_client
-- Who a client is by now: each merge that stands leads on.
WITH RECURSIVE led AS (
    SELECT $1::bigint AS id, 1 AS steps
    UNION ALL
    SELECT m.winner_id, led.steps + 1 FROM led JOIN client_merges AS m ON m.loser_id = led.id
    WHERE m.undone_at IS NULL AND led.steps < 1000
)
SELECT id FROM led ORDER BY steps DESC LIMIT 1

-- name: insert_merge
INSERT INTO client_merges (winner_id, loser_id, why, merged_by, merged_at, latest)
SELECT $1, $2, $3, $4, $5, jsonb_build_object(
    'messages_history', (SELECT max(id) FROM messages_history WHERE client_id IN ($1, $2)),
    'identities', (SELECT max(id) FROM identities WHERE client_id IN ($1, $2)),
    'turns', (SELECT max(id) FROM turns WHERE client_id IN ($1, $2)),
    'appeals', (SELECT max(id) FROM appeals WHERE client_id IN ($1, $2))
)
RETURNING id

-- name: note_cases
UPDATE client_merges SET cases = $2 WHERE id = $1

-- name: get_merge
SELECT id, winner_id, loser_id, why, merged_by, merged_at, undone_by, undone_at, cases, latest
FROM client_merges WHERE id = $1

-- name: merges_of_client
-- Those that stand, in which the client won; the latest first.
SELECT id, winner_id, loser_id, why, merged_by, merged_at, undone_by, undone_at, cases, latest
FROM client_merges WHERE winner_id = $1 AND undone_at IS NULL AND id < $2 ORDER BY id DESC LIMIT $3

-- name: standing_merge_of
-- The merge in which this client lost.
SELECT id, winner_id FROM client_merges WHERE loser_id = $1 AND undone_at IS NULL

-- name: steps_of_merge
SELECT r.step, r.table_name, r.columns, CASE WHEN r.before IS NULL THEN 'added' WHEN r.after IS NULL THEN 'removed'
    ELSE 'changed' END AS kind
FROM (
    SELECT DISTINCT ON (step) step, table_name, before, after, ARRAY(
        SELECT key FROM jsonb_object_keys(coalesce(after, '{}')) AS key ORDER BY key
    ) AS columns
    FROM client_merge_rows WHERE merge_id = $1 ORDER BY step DESC
) AS r
ORDER BY r.step DESC

-- name: noted_clients
-- What the winner's row showed before and after, and the loser's row (after is null).
SELECT before, after FROM client_merge_rows
WHERE merge_id = $1 AND table_name = 'clients' ORDER BY step

-- name: end_merge
UPDATE client_merges SET undone_by = $2, undone_at = $3, cases = '[]', latest = '{}' WHERE id = $1

-- name: forget_steps
DELETE FROM client_merge_rows WHERE merge_id = $1

-- name: cases_open_twice
-- Cases of one channel and account that are open on both sides, the older first.
SELECT to_jsonb(older) AS older, to_jsonb(younger) AS younger
FROM appeals AS older JOIN appeals AS younger USING (channel, account)
WHERE older.client_id IN ($1, $2) AND younger.client_id IN ($1, $2) AND older.client_id <> younger.client_id
    AND older.closed_at IS NULL AND younger.closed_at IS NULL
    AND (older.opened_at, older.id) < (younger.opened_at, younger.id)
ORDER BY older.id

-- name: lock_cases_of
SELECT id FROM appeals WHERE client_id = ANY($1::bigint[]) ORDER BY id FOR NO KEY UPDATE

-- name: suggestions_of_client
SELECT id, client_id, other_id, why, detail, state, created_at, decided_at, decided_by
FROM link_suggestions WHERE client_id = $1 OR other_id = $1 ORDER BY id

-- name: set_client_row
UPDATE clients SET name = $2, phone = $3, email = $4, updated_at = $5 WHERE id = $1
