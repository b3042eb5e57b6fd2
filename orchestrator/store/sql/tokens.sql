-- name: token_is_alive
-- Whether the appeal $1 is still of the client $2, and nobody was merged with the client, or separated, since $3.
-- Who is a loser now has no appeals. Each part has an index: this is asked at every call.
SELECT EXISTS (SELECT FROM appeals WHERE id = $1 AND client_id = $2)
    AND NOT EXISTS (SELECT FROM client_merges WHERE winner_id = $2 AND undone_at IS NULL AND merged_at >= $3)
    AND NOT EXISTS (SELECT FROM client_merges WHERE $2 IN (winner_id, loser_id) AND undone_at >= $3)

-- name: chats_of_appeal
-- Where the appeal's messages were written, its own chat first, then those with the latest messages.
SELECT channel, account, external_chat_id FROM (
    SELECT channel, account, external_chat_id, max(id) AS latest FROM messages_history WHERE appeal_id = $1
    GROUP BY channel, account, external_chat_id
    UNION ALL
    SELECT channel, account, external_chat_id, 9223372036854775807 FROM appeals WHERE id = $1
) AS chats
GROUP BY channel, account, external_chat_id
ORDER BY max(latest) DESC LIMIT $2

-- name: appeal_of_turn
SELECT appeal_id FROM turns WHERE id = $1

-- name: offered_turn_of_appeal
SELECT t.id FROM turns AS t
WHERE t.appeal_id = $1 AND {{turn_is_offered $2}}
ORDER BY t.id LIMIT 1

-- name: whose_delivery
SELECT appeal_id, channel, account, external_chat_id FROM outbound WHERE id = $1

-- name: message_of_chats
SELECT EXISTS (
    SELECT FROM messages_history
    WHERE external_message_id = $1 AND (channel, account, external_chat_id)
        IN (SELECT * FROM unnest($2::text[], $3::text[], $4::text[]))
)
