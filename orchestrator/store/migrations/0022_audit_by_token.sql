-- Whose token of one appeal a call was made with, and how a rare caller is found among many entries.
ALTER TABLE audit
    ADD COLUMN by_token text NOT NULL DEFAULT '',
    ADD COLUMN token_appeal text NOT NULL DEFAULT '';
CREATE INDEX audit_caller ON audit (caller, seq);
CREATE INDEX audit_operation ON audit (operation, seq);
CREATE INDEX audit_result ON audit (result, seq);
