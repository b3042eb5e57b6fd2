-- name: keep_audit
INSERT INTO audit (
    id, at, service, caller, role, by_token, token_appeal, operation, arguments, result, made
)
SELECT id, at, service, caller, role, by_token, token_appeal, operation, arguments, result, made
FROM jsonb_to_recordset($1::jsonb) AS t (
    id uuid, at timestamptz, service text, caller text, role text, by_token text, token_appeal text,
    operation text, arguments text, result text, made jsonb
)
ON CONFLICT (id) DO NOTHING

-- name: list_audit
SELECT * FROM audit
WHERE ($1 = '' OR caller = $1) AND ($2 = '' OR operation = $2) AND ($3 = '' OR result = $3)
    AND ($4::bigint = 0 OR seq < $4)
ORDER BY seq DESC LIMIT $5

-- name: forget_audit
DELETE FROM audit WHERE at < $1
