-- The transparency log: what `src/log` keeps of it (docs/adr/0005). All of it but the signatures follows from `statements`;
-- it is kept because a log must never compute its past anew.

-- One row: what the last commit decided. Swapped by its digest, so that of two writers one is stopped.
CREATE TABLE log_commit (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  digest sha256_digest NOT NULL,
  record bytea NOT NULL
);

-- The static resources of C2SP tlog-tiles. Level -1 holds the entry bundles. A tile grows at its end only: a partial one is
-- stored as what it adds to a narrower one (its base), or every append would write a whole bundle anew. Full tiles, and
-- partial ones without a base, are stored as they are.
CREATE TABLE log_tiles (
  level smallint NOT NULL CHECK (level BETWEEN -1 AND 63),
  tile bigint NOT NULL CHECK (tile >= 0),
  width smallint NOT NULL CHECK (width BETWEEN 1 AND 256),
  base_width smallint CHECK (base_width IS NULL OR (base_width < width AND width < 256)),
  bytes bytea NOT NULL,
  PRIMARY KEY (level, tile, width),
  -- A slow writer cannot add to a base that another one has discarded.
  FOREIGN KEY (level, tile, base_width) REFERENCES log_tiles (level, tile, width)
);

-- Hashes do not compress, and base64 hardly: not tried.
ALTER TABLE log_commit ALTER COLUMN record SET STORAGE EXTERNAL;
ALTER TABLE log_tiles ALTER COLUMN bytes SET STORAGE EXTERNAL;

CREATE TABLE log_positions (
  leaf_hash sha256_digest PRIMARY KEY,
  position bigint NOT NULL UNIQUE CHECK (position >= 0)
);

-- One row: the checkpoint that readers are given.
CREATE TABLE log_checkpoint (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  size bigint NOT NULL CHECK (size >= 0),
  note text NOT NULL
);

CREATE TRIGGER log_commit_stays BEFORE DELETE OR TRUNCATE ON log_commit
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewrite();
CREATE TRIGGER log_tiles_append_only BEFORE UPDATE OR TRUNCATE ON log_tiles
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewrite();
-- Partial tiles go when their tile is full.
CREATE TRIGGER log_full_tiles_stay BEFORE DELETE ON log_tiles
  FOR EACH ROW WHEN (OLD.width = 256) EXECUTE FUNCTION refuse_rewrite();
CREATE TRIGGER log_positions_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON log_positions
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewrite();
CREATE TRIGGER log_checkpoint_stays BEFORE DELETE OR TRUNCATE ON log_checkpoint
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewrite();
CREATE TRIGGER log_checkpoint_only_forwards BEFORE UPDATE ON log_checkpoint
  FOR EACH ROW WHEN (NEW.size < OLD.size) EXECUTE FUNCTION refuse_rewrite();

-- A statement that is too large for an entry is logged by the SHA-256 of its payload and served under it.
CREATE INDEX statements_by_payload ON statements (sha256(decode(envelope->>'payload', 'base64')));
