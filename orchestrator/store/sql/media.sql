-- Files of messages (media) and what the content store holds (contents): orchestrator/media_rows.py, contents.py.

-- name: lock_contents
-- Those of the named contents that are there; they stay as they are until this transaction ends, which changes
-- them: two that shared the lock would wait for each other.
SELECT hash FROM contents WHERE hash = ANY ($1::text[]) ORDER BY hash FOR NO KEY UPDATE

-- name: write_media
-- A file of a message that is known stays as it is.
INSERT INTO media (message_id, source, kind, source_url, file_id, name, state, content_hash, due_at, created_at,
    updated_at)
SELECT m.id, f.source, f.kind, f.source_url, f.file_id, f.name,
    CASE WHEN f.content_hash IS NULL THEN 'waiting' ELSE 'stored' END, f.content_hash, $11, $11, $11
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
    $9::text[], $10::text[])
    AS f (channel, account, external_chat_id, external_message_id, source, kind, source_url, file_id, name,
        content_hash)
JOIN messages_history AS m USING (channel, account, external_chat_id, external_message_id)
WHERE m.deleted_at IS NULL
ON CONFLICT ON CONSTRAINT media_source DO NOTHING
RETURNING message_id

-- name: release_contents
UPDATE contents SET busy_until = $2 WHERE hash = ANY ($1::text[]) AND busy_until > $2

-- name: apply_transcripts
-- The words of voice notes, in messages that are being written.
UPDATE messages_history AS m
SET media = m.media || jsonb_build_object('voice_transcribed_text', c.transcript)
FROM media AS f JOIN contents AS c ON c.hash = f.content_hash
WHERE m.id = ANY ($1::bigint[]) AND f.message_id = m.id AND f.kind = 'voice'
    AND c.transcript_state = 'done' AND c.transcript <> ''
    AND coalesce(m.media ->> 'voice_transcribed_text', '') = ''

-- name: chats_of_content
SELECT DISTINCT m.channel, m.account, m.external_chat_id
FROM media AS f JOIN messages_history AS m ON m.id = f.message_id
WHERE f.content_hash = $1 AND f.kind = 'voice' AND coalesce(m.media ->> 'voice_transcribed_text', '') = ''

-- name: apply_late_transcripts
-- Words that come after their message: a change with a number, as an edit, so that a reply of who did not know
-- them is refused with them. The chats are locked.
WITH told AS (
    UPDATE messages_history AS m
    SET media = m.media || jsonb_build_object('voice_transcribed_text', c.transcript),
        change_id = nextval(pg_get_serial_sequence('messages_history', 'id'))
    FROM media AS f JOIN contents AS c ON c.hash = f.content_hash
    WHERE f.content_hash = $1 AND f.kind = 'voice' AND f.message_id = m.id
        AND c.transcript_state = 'done' AND c.transcript <> ''
        AND coalesce(m.media ->> 'voice_transcribed_text', '') = ''
        AND (m.channel, m.account, m.external_chat_id) IN
            (SELECT * FROM unnest($2::text[], $3::text[], $4::text[]))
    RETURNING m.turn_id, m.change_id
), latest AS (
    SELECT turn_id, max(change_id) AS id FROM told WHERE turn_id IS NOT NULL GROUP BY turn_id
)
UPDATE turns AS t SET latest_message_id = latest.id
FROM latest WHERE t.id = latest.turn_id AND t.status IN ('ready', 'leased')

-- name: claim_media
-- The next files to fetch, nobody else's until $2. One whose message was deleted is not fetched any more.
UPDATE media AS f
SET due_at = $2, attempts = f.attempts + 1, updated_at = $1
FROM (
    SELECT id FROM media WHERE state = 'waiting' AND due_at <= $1
    ORDER BY due_at, id LIMIT $3 FOR UPDATE SKIP LOCKED
) AS next, messages_history AS m
WHERE f.id = next.id AND m.id = f.message_id
RETURNING f.id, f.kind, f.source_url, f.file_id, f.name, f.attempts, m.channel, m.account,
    m.deleted_at IS NOT NULL AS deleted,
    coalesce(m.media ->> 'voice_transcribed_text', '') <> '' AS has_words

-- name: link_media
UPDATE media SET state = 'stored', reason = '', content_hash = $2, updated_at = $3
WHERE id = $1 AND state = 'waiting'
RETURNING id

-- name: settle_media
UPDATE media SET state = $2, reason = $3, updated_at = $4 WHERE id = $1 AND state = 'waiting'

-- name: postpone_media
UPDATE media SET due_at = $2, reason = $3, attempts = attempts - $4, updated_at = $5
WHERE id = $1 AND state = 'waiting'

-- name: media_of_messages
SELECT f.message_id, f.id, f.source, f.kind, f.state, c.transcript_state, c.transcript
FROM media AS f LEFT JOIN contents AS c ON c.hash = f.content_hash
WHERE f.message_id = ANY ($1::bigint[])
ORDER BY f.id

-- name: media_to_open
SELECT f.content_hash, f.kind, f.name, c.media_type
FROM media AS f JOIN contents AS c ON c.hash = f.content_hash JOIN messages_history AS m ON m.id = f.message_id
WHERE f.id = $1 AND m.deleted_at IS NULL

-- name: note_content
-- Before the bytes are written, so that a crash leaves none that no row knows.
INSERT INTO contents (hash, size, media_type, stored_at, busy_until)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (hash) DO UPDATE SET busy_until = greatest(contents.busy_until, excluded.busy_until)

-- name: lock_contents_to_remove
SELECT hash FROM contents WHERE hash = ANY ($1::text[]) ORDER BY hash FOR UPDATE

-- name: remove_unneeded_contents
DELETE FROM contents AS c
WHERE c.hash = ANY ($1::text[]) AND c.busy_until <= $2
    AND NOT EXISTS (SELECT FROM media AS f WHERE f.content_hash = c.hash)
RETURNING c.hash

-- name: unneeded_contents
SELECT c.hash FROM contents AS c
WHERE c.busy_until <= $1 AND NOT EXISTS (SELECT FROM media AS f WHERE f.content_hash = c.hash)
LIMIT $2

-- name: contents_to_retire
-- Too old ($1), or beyond the size of the store ($2; 0: any size), the oldest first.
SELECT kept.hash FROM (
    SELECT hash, stored_at, busy_until, sum(size) OVER (ORDER BY stored_at DESC, hash) AS up_to FROM contents
) AS kept
WHERE kept.busy_until <= $3 AND (kept.stored_at < $1 OR ($2::bigint > 0 AND kept.up_to > $2::bigint))
ORDER BY kept.stored_at LIMIT $4

-- name: retire_media
UPDATE media SET state = 'removed', reason = 'retention', content_hash = NULL, updated_at = $2
WHERE content_hash = ANY ($1::text[])

-- name: measure_media
SELECT (SELECT coalesce(sum(size), 0)::bigint FROM contents) AS bytes,
    (SELECT count(*) FROM media WHERE state = 'waiting') AS waiting,
    (SELECT count(*) FROM contents WHERE transcript_state = 'waiting') AS unheard

-- name: want_transcript
-- What was never asked for is asked for now.
UPDATE contents SET transcript_state = 'waiting', transcript_due_at = $2
WHERE hash = $1 AND transcript_state = 'none'

-- name: claim_transcript
-- This one voice note, nobody else's until $3; nothing when somebody hears it, or it was heard.
UPDATE contents SET transcript_due_at = $3, transcript_attempts = transcript_attempts + 1
WHERE hash = $1 AND transcript_state = 'waiting' AND transcript_due_at <= $2
RETURNING hash, media_type, size, transcript_attempts

-- name: due_transcripts
SELECT hash FROM contents WHERE transcript_state = 'waiting' AND transcript_due_at <= $1
ORDER BY transcript_due_at LIMIT $2

-- name: settle_transcript
UPDATE contents SET transcript_state = $2, transcript = $3, transcript_reason = $4, transcript_due_at = NULL
WHERE hash = $1

-- name: postpone_transcript
UPDATE contents SET transcript_due_at = $2, transcript_reason = $3
WHERE hash = $1 AND transcript_state = 'waiting'

-- name: transcript_of
SELECT transcript_state, transcript FROM contents WHERE hash = $1
