-- What an agent may lease at the time $at: a turn `t` that waits, or whose lease ran out.
-- Of one chat only the turn without another one in work, so two agents never share a chat; and none while a person
-- has the chat.
t.status IN ('ready', 'leased')
AND CASE t.status WHEN 'leased' THEN t.leased_until <= $at::timestamptz ELSE NOT EXISTS (
    SELECT FROM turns AS other
    WHERE other.channel = t.channel AND other.account = t.account
        AND other.external_chat_id = t.external_chat_id AND other.status = 'leased'
) END
AND NOT EXISTS (
    SELECT FROM pauses AS paused
    WHERE paused.channel = t.channel AND paused.account = t.account AND paused.external_chat_id = t.external_chat_id
        AND paused.ended_at IS NULL AND (paused.until IS NULL OR paused.until > $at::timestamptz)
)
