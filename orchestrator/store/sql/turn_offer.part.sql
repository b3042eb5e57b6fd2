-- What tells one offer of the turn `t` from the next.
t.lease_token || '.' || coalesce(t.latest_message_id, 0)
