-- name: suggest_links
-- The other's row is kept from going meanwhile: who is merged away at this moment is not suggested.
WITH asked AS (
    SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[])
        AS a (client_id, kind, value, evidence, channel, ad_id)
), pairs AS (
    SELECT DISTINCT ON (asked.client_id, other.client_id) asked.client_id, other.client_id AS other_id,
        asked.value, CASE asked.kind
            WHEN 'email' THEN 'same_email'
            WHEN 'username' THEN 'same_username'
            WHEN 'name' THEN 'same_name_and_ad'
            ELSE CASE
                WHEN 'mentioned' IN (asked.evidence, other.evidence) THEN 'typed_phone'
                WHEN 'claimed' IN (asked.evidence, other.evidence) THEN 'claimed_phone'
                ELSE 'same_phone' END
        END AS why
    FROM asked CROSS JOIN LATERAL (
        SELECT f.client_id, f.evidence FROM client_facts AS f
        WHERE asked.kind = 'phone' AND f.kind = 'phone' AND f.value = asked.value
            AND f.client_id <> asked.client_id
            AND ('vendor' IN (asked.evidence, f.evidence) OR 'form' IN (asked.evidence, f.evidence))
        UNION ALL
        SELECT f.client_id, f.evidence FROM client_facts AS f
        WHERE asked.kind <> 'phone' AND f.kind = asked.kind AND lower(f.value) = lower(asked.value)
            AND f.kind IN ('name', 'email', 'username') AND f.client_id <> asked.client_id
            AND (asked.kind = 'email' OR f.channel <> asked.channel)
            AND (asked.kind <> 'name' OR EXISTS (
                SELECT FROM appeals AS a WHERE a.client_id = f.client_id AND a.ad_id = asked.ad_id
            ))
        LIMIT 20
    ) AS other
    ORDER BY asked.client_id, other.client_id, asked.kind <> 'phone'
), there AS (
    SELECT c.id FROM clients AS c
    WHERE c.id IN (SELECT other_id FROM pairs) ORDER BY c.id FOR KEY SHARE
)
INSERT INTO link_suggestions (client_id, other_id, why, detail, created_at)
SELECT least(pairs.client_id, there.id), greatest(pairs.client_id, there.id), pairs.why, pairs.value, $7
FROM pairs JOIN there ON there.id = pairs.other_id
ORDER BY 1, 2
ON CONFLICT ON CONSTRAINT link_suggestions_pair DO NOTHING
