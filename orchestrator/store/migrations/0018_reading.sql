-- Completion: ids of open cases and of chats by how they begin, without going through all of them. "C" is the order
-- of the bytes: in another one, those that begin alike would not stand together.

CREATE INDEX appeals_open ON appeals (id) WHERE closed_at IS NULL;
CREATE INDEX appeals_chats ON appeals (channel, account, external_chat_id COLLATE "C");
