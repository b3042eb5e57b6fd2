-- Who did what with which result (core/audit.py). Entries are added and, in time, forgotten; never changed.
CREATE TABLE audit (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id uuid NOT NULL UNIQUE,
    at timestamptz NOT NULL,
    service text NOT NULL,
    caller text NOT NULL,
    role text NOT NULL,
    operation text NOT NULL,
    arguments text NOT NULL,
    result text NOT NULL,
    made jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX audit_at ON audit (at);

CREATE FUNCTION audit_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'an entry of the audit log is not changed';
END
$$;
CREATE TRIGGER audit_stays BEFORE UPDATE ON audit FOR EACH ROW EXECUTE FUNCTION audit_stays();
