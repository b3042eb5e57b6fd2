-- Why a turn closed has six answers, and what happened to a message after it was shown has a number.

ALTER TABLE turns ADD CONSTRAINT turns_closed_by
    CHECK (closed_by IN ('silence', 'longest', 'count', 'button', 'command', 'takeover'));
COMMENT ON COLUMN turns.closed_by IS
    'why the gathering of the messages ended: silence, longest, count, button, command, takeover';
COMMENT ON COLUMN turns.latest_message_id IS
    'the newest message of the turn, or the newest change of one: what a reply must have seen';

-- Numbers of messages and of changes come from one sequence, so one number says what an agent has seen.
ALTER TABLE messages_history ADD COLUMN change_id bigint;
COMMENT ON COLUMN messages_history.change_id IS
    'number of the latest edit or deletion, from the sequence of id; null: as it was written';
