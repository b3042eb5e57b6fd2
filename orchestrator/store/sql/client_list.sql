-- name: handles_of_client
SELECT channel, account, external_user_id AS user_id, evidence FROM identities WHERE client_id = $1 ORDER BY id

-- name: cases_of_client
SELECT id FROM appeals WHERE client_id = $1 ORDER BY updated_at DESC, id DESC LIMIT $2

-- name: list_clients
-- $1 "": all. A name may be a part; a phone, an e-mail or a handle is whole.
SELECT c.id::text AS client_id, coalesce(c.name, '') AS name_untrusted, coalesce(c.phone, '') AS phone,
    coalesce(c.email, '') AS email_untrusted, c.created_at::text AS created_at, ARRAY(
        SELECT DISTINCT i.channel FROM identities AS i WHERE i.client_id = c.id ORDER BY i.channel
    ) AS channels
FROM clients AS c
WHERE c.id < $2 AND ($1 = '' OR strpos(lower(c.name), lower($1)) > 0 OR c.id IN (
    SELECT i.client_id FROM identities AS i WHERE i.external_user_id = $1
    UNION SELECT f.client_id FROM client_facts AS f
    WHERE f.kind = 'phone' AND f.value = '+' || regexp_replace($1, '[^0-9]', '', 'g') AND f.evidence <> 'mentioned'
    UNION SELECT f.client_id FROM client_facts AS f
    WHERE f.kind IN ('name', 'email', 'username') AND lower(f.value) = lower($1)
))
ORDER BY c.id DESC LIMIT $3

-- name: list_suggestions
-- $4: this one only.
SELECT s.id::text AS suggestion_id, s.client_id::text AS client_id, coalesce(a.name, '') AS client_name_untrusted,
    s.other_id::text AS other_id, coalesce(b.name, '') AS other_name_untrusted, s.why,
    s.detail AS detail_untrusted, s.state, s.created_at::text AS created_at, coalesce(s.decided_by, '') AS decided_by
FROM link_suggestions AS s
LEFT JOIN clients AS a ON a.id = s.client_id LEFT JOIN clients AS b ON b.id = s.other_id
WHERE s.state = $1 AND s.id < $2 AND ($4::bigint IS NULL OR s.id = $4)
    AND ($1 <> 'open' OR (a.id IS NOT NULL AND b.id IS NOT NULL))
ORDER BY s.id DESC LIMIT $3

-- name: dismiss_suggestion
UPDATE link_suggestions SET state = 'dismissed', decided_by = $2, decided_at = $3
WHERE id = $1 AND state = 'open' RETURNING id
