-- name: catalogue_tables
SELECT c.relname AS name,
    ARRAY(SELECT a.attname::text FROM pg_attribute AS a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum) AS columns,
    coalesce(key.names, '{}') AS key, coalesce(key.types, '{}') AS key_types
FROM pg_class AS c
LEFT JOIN LATERAL (
    SELECT array_agg(a.attname::text ORDER BY place.ord) AS names,
        array_agg(format_type(a.atttypid, a.atttypmod) ORDER BY place.ord) AS types
    FROM pg_constraint AS p
    CROSS JOIN LATERAL unnest(p.conkey) WITH ORDINALITY AS place (attnum, ord)
    JOIN pg_attribute AS a ON a.attrelid = p.conrelid AND a.attnum = place.attnum
    WHERE p.conrelid = c.oid AND p.contype = 'p'
) AS key ON true
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') ORDER BY c.relname

-- name: references_to
SELECT c.relname AS name, a.attname AS column_name
FROM pg_constraint AS f
JOIN pg_class AS c ON c.oid = f.conrelid
JOIN pg_attribute AS a ON a.attrelid = f.conrelid AND a.attnum = f.conkey[1]
WHERE f.contype = 'f' AND f.confrelid = $1::text::regclass ORDER BY c.relname, a.attname
