-- name: create_schema_migrations
CREATE TABLE IF NOT EXISTS schema_migrations (
    name       text PRIMARY KEY,
    checksum   text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)

-- name: applied_migrations
SELECT name, checksum FROM schema_migrations ORDER BY name

-- name: record_migration
INSERT INTO schema_migrations (name, checksum) VALUES ($1, $2)
