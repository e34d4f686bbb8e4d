-- The coordinator's state. The same for PostgreSQL (15 or newer) and for PGlite.
--
-- Envelopes are DSSE JSON documents, kept as `json`: byte for byte as they were written, and open to an auditor's
-- queries. Triggers guard what must never be rewritten against a mistake in our own code; whoever owns the database can
-- still drop them, which is why the transparency log exists.

CREATE DOMAIN sha256_digest AS text CHECK (VALUE ~ '^[0-9a-f]{64}$');

CREATE FUNCTION refuse_rewrite() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'integrity_constraint_violation';
END
$$;

-- The journal of signed statements. ------------------------------------------------------------------------------------

CREATE TABLE statements (
  position bigint PRIMARY KEY CHECK (position >= 0),
  digest sha256_digest NOT NULL UNIQUE,
  envelope json NOT NULL
);

CREATE TRIGGER statements_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON statements
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewrite();

-- One row. Its lock puts concurrent appends in line; a sequence would leave a gap whenever one of them rolls back.
CREATE TABLE journal_head (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  next_position bigint NOT NULL CHECK (next_position >= 0)
);

INSERT INTO journal_head (next_position) VALUES (0);

-- Jobs. ----------------------------------------------------------------------------------------------------------------

CREATE TABLE jobs (
  job sha256_digest PRIMARY KEY,
  -- Breaks ties between jobs of the same millisecond.
  arrival bigint GENERATED ALWAYS AS IDENTITY,
  envelope json NOT NULL,
  state text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'running', 'completed', 'failed', 'cancelled')),
  reason text,
  submitted_at timestamptz NOT NULL,
  started_at timestamptz,
  ended_at timestamptz,
  event_count integer NOT NULL DEFAULT 0 CHECK (event_count >= 0),
  CHECK (state <> 'queued' OR started_at IS NULL),
  CHECK (state <> 'running' OR started_at IS NOT NULL),
  CHECK ((ended_at IS NOT NULL) = (state IN ('completed', 'failed', 'cancelled')))
);

CREATE INDEX jobs_by_submission ON jobs (submitted_at, arrival);
CREATE INDEX jobs_unfinished ON jobs (submitted_at, arrival) WHERE ended_at IS NULL;

CREATE TABLE job_outputs (
  job sha256_digest NOT NULL REFERENCES jobs,
  name text NOT NULL,
  version integer NOT NULL CHECK (version >= 0),
  digest sha256_digest NOT NULL,
  PRIMARY KEY (job, name, version)
);

CREATE TRIGGER job_outputs_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON job_outputs
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewrite();

CREATE TABLE job_events (
  job sha256_digest NOT NULL REFERENCES jobs,
  sequence integer NOT NULL CHECK (sequence >= 1),
  -- Of instant and event: a repeated append finds its first.
  digest sha256_digest NOT NULL,
  at timestamptz NOT NULL,
  event json NOT NULL,
  PRIMARY KEY (job, sequence),
  UNIQUE (job, digest)
);

CREATE TRIGGER job_events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON job_events
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewrite();

-- Rounds. --------------------------------------------------------------------------------------------------------------

CREATE TABLE rounds (
  plan_digest sha256_digest PRIMARY KEY,
  job sha256_digest NOT NULL REFERENCES jobs,
  round integer NOT NULL CHECK (round >= 1),
  step text NOT NULL,
  plan_envelope json NOT NULL,
  phase text NOT NULL DEFAULT 'collecting'
    CHECK (phase IN ('collecting', 'sealed', 'certified', 'opened', 'published', 'abandoned')),
  reason text,
  -- Of the statement, without its signatures: those are added as the committee endorses.
  manifest_digest sha256_digest,
  manifest json,
  UNIQUE (job, round),
  CHECK ((manifest IS NULL) = (manifest_digest IS NULL)),
  CONSTRAINT sealed_round_has_manifest CHECK (phase IN ('collecting', 'abandoned') OR manifest IS NOT NULL)
);

-- A sealed set is final: no other manifest, no way back (protocol §4.3).
CREATE FUNCTION refuse_round_rewrite() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  phases CONSTANT text[] := ARRAY['collecting', 'sealed', 'certified', 'opened', 'published', 'abandoned'];
BEGIN
  IF (NEW.plan_digest, NEW.job, NEW.round, NEW.step, NEW.plan_envelope::text)
     IS DISTINCT FROM (OLD.plan_digest, OLD.job, OLD.round, OLD.step, OLD.plan_envelope::text)
     OR (OLD.manifest_digest IS NOT NULL AND NEW.manifest_digest IS DISTINCT FROM OLD.manifest_digest)
     OR (OLD.manifest IS NOT NULL AND NEW.manifest->>'payload' IS DISTINCT FROM OLD.manifest->>'payload')
     OR array_position(phases, NEW.phase) < array_position(phases, OLD.phase)
     OR (OLD.phase = 'published' AND NEW.phase = 'abandoned') THEN
    RAISE EXCEPTION 'round % is final in what it has: the change is refused', OLD.plan_digest
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END
$$;

CREATE TRIGGER rounds_only_forwards BEFORE UPDATE ON rounds
  FOR EACH ROW EXECUTE FUNCTION refuse_round_rewrite();
CREATE TRIGGER rounds_stay BEFORE DELETE OR TRUNCATE ON rounds
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewrite();

CREATE TABLE contributions (
  plan_digest sha256_digest NOT NULL REFERENCES rounds,
  holder text NOT NULL,
  digest sha256_digest NOT NULL,
  envelope json NOT NULL,
  PRIMARY KEY (plan_digest, holder)
);

CREATE TRIGGER contributions_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON contributions
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewrite();
