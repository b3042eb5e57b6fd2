-- What is known of a client and who said it, who else they may be, and what a merge moved.
-- Growth: a fact per thing learned, a suggestion per pair; merge rows go when the merge is undone or erased.

CREATE TABLE client_facts (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    client_id        bigint NOT NULL REFERENCES clients ON DELETE CASCADE,
    kind             text NOT NULL,
    value            text NOT NULL,
    evidence         text NOT NULL,
    channel          text NOT NULL,
    account          text NOT NULL,
    external_user_id text NOT NULL DEFAULT '',
    first_at         timestamptz NOT NULL,
    last_at          timestamptz NOT NULL,
    CONSTRAINT client_facts_kind
        CHECK (kind IN ('name', 'phone', 'email', 'username', 'profile_url', 'avatar_url', 'language')),
    CONSTRAINT client_facts_evidence CHECK (evidence IN ('vendor', 'form', 'claimed', 'mentioned')),
    CONSTRAINT client_facts_once UNIQUE (client_id, kind, value, channel, account, external_user_id)
);
COMMENT ON COLUMN client_facts.evidence IS
    'vendor: attested by the messenger; form: given in a form; claimed: a producer says so; mentioned: in a text';
COMMENT ON COLUMN client_facts.external_user_id IS 'the handle that the fact came with; empty: none was known';

-- find_clients: a client by a phone that a form or a vendor attests; suggest_links: by the others, too.
CREATE INDEX client_facts_phone ON client_facts (value, client_id) WHERE kind = 'phone';
CREATE INDEX client_facts_words ON client_facts (kind, lower(value)) WHERE kind IN ('name', 'email', 'username');

-- What is known so far has no date but the client's own; a phone is as good as its client's best channel.
INSERT INTO client_facts (client_id, kind, value, evidence, channel, account, external_user_id, first_at, last_at)
SELECT c.id, told.kind, told.value,
    coalesce(known.attests, 'claimed'),
    coalesce(known.channel, ''), coalesce(known.account, ''), coalesce(known.external_user_id, ''),
    c.created_at, c.created_at
FROM clients AS c
CROSS JOIN LATERAL (VALUES ('name', c.name), ('phone', c.phone), ('email', c.email)) AS told (kind, value)
LEFT JOIN LATERAL (
    SELECT i.channel, i.account, i.external_user_id,
        CASE WHEN i.channel IN ('telegram', 'whatsapp', 'max') THEN 'vendor'
            WHEN i.channel = 'form' THEN 'form' END AS attests
    FROM identities AS i WHERE i.client_id = c.id
    ORDER BY i.channel NOT IN ('telegram', 'whatsapp', 'max'), i.channel <> 'form', i.id LIMIT 1
) AS known ON true
WHERE told.value IS NOT NULL;

-- By which handle a message came: after a merge and its undoing each goes back to its own side.
ALTER TABLE messages_history ADD COLUMN external_user_id text;
COMMENT ON COLUMN messages_history.external_user_id IS
    'the handle of the customer whose chat it was in that batch; null: not known';

CREATE TABLE link_suggestions (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    client_id  bigint NOT NULL,
    other_id   bigint NOT NULL,
    why        text NOT NULL,
    detail     text NOT NULL DEFAULT '',
    state      text NOT NULL DEFAULT 'open',
    created_at timestamptz NOT NULL,
    decided_at timestamptz,
    decided_by text,
    CONSTRAINT link_suggestions_pair UNIQUE (client_id, other_id),
    CONSTRAINT link_suggestions_order CHECK (client_id < other_id),
    CONSTRAINT link_suggestions_state CHECK (state IN ('open', 'accepted', 'dismissed')),
    CONSTRAINT link_suggestions_decided CHECK ((state = 'open') = (decided_at IS NULL))
);
COMMENT ON TABLE link_suggestions IS
    'two clients who may be one person; without foreign keys, since an accepted one outlives a client';
CREATE INDEX link_suggestions_other ON link_suggestions (other_id);
CREATE INDEX link_suggestions_open ON link_suggestions (id) WHERE state = 'open';

CREATE TABLE client_merges (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    winner_id bigint NOT NULL,
    loser_id  bigint NOT NULL,
    why       text NOT NULL DEFAULT '',
    merged_by text NOT NULL DEFAULT '',
    merged_at timestamptz NOT NULL,
    undone_by text,
    undone_at timestamptz,
    cases     jsonb NOT NULL DEFAULT '[]',
    latest    jsonb NOT NULL DEFAULT '{}'
);
COMMENT ON TABLE client_merges IS 'the loser''s row is gone while the merge stands; its id leads to the winner';
COMMENT ON COLUMN client_merges.cases IS 'cases that were open on both sides: [[younger, older], ...]';
COMMENT ON COLUMN client_merges.latest IS 'the highest ids of both sides at that time, by table: what is newer came since';
CREATE INDEX client_merges_winner ON client_merges (winner_id) WHERE undone_at IS NULL;
CREATE UNIQUE INDEX client_merges_loser ON client_merges (loser_id) WHERE undone_at IS NULL;

-- Each step of a merge is of one table and one kind; undone in reverse order.
CREATE TABLE client_merge_rows (
    merge_id   bigint NOT NULL REFERENCES client_merges ON DELETE CASCADE,
    step       integer NOT NULL,
    table_name text NOT NULL,
    row_key    jsonb NOT NULL,
    before     jsonb,
    after      jsonb,
    PRIMARY KEY (merge_id, step, row_key),
    CONSTRAINT client_merge_rows_kind CHECK (before IS NOT NULL OR after IS NOT NULL)
);
COMMENT ON COLUMN client_merge_rows.before IS 'the columns that the merge set, as they were; null: it added the row';
COMMENT ON COLUMN client_merge_rows.after IS 'the columns that the merge set; null: it took the row away';
