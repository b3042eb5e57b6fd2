-- A case stays with a person for hours, and somebody has to see when all pauses of its conversations are over. Every
-- second only the cases are looked at of which one may be over by now.

ALTER TABLE appeals ADD COLUMN look_again_at timestamptz NOT NULL DEFAULT 'epoch';
COMMENT ON COLUMN appeals.look_again_at IS 'handed_off: when to see next whether a person still has a conversation of it';

CREATE INDEX appeals_look_again ON appeals (look_again_at) WHERE status = 'handed_off';
