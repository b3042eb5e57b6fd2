-- Every call with a token of one appeal asks whether its client was separated from somebody since it was made, an hour
-- ago at most.
CREATE INDEX client_merges_undone ON client_merges (undone_at) WHERE undone_at IS NOT NULL;
