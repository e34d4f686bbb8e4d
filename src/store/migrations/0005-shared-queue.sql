-- A queue of jobs that several coordinators share, and the parts of sums that they add up together (docs/adr/0015).

-- A name of a coordinator, and the one process that has it now.
CREATE TABLE coordinators (
  name text PRIMARY KEY,
  incarnation text NOT NULL UNIQUE,
  entered_at timestamptz NOT NULL
);

-- One row. Its lock puts claims in line: each chooses from a queue that has the others in it.
CREATE TABLE job_queue (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row)
);

INSERT INTO job_queue DEFAULT VALUES;

ALTER TABLE jobs
  ADD COLUMN priority text NOT NULL DEFAULT 'normal' CHECK (priority IN ('low', 'normal', 'high')),
  ADD COLUMN submitted_by text NOT NULL DEFAULT '',
  -- Names; null for all members.
  ADD COLUMN holders json,
  ADD COLUMN min_contributors integer NOT NULL DEFAULT 2 CHECK (min_contributors >= 2),
  ADD COLUMN claimed_at timestamptz,
  -- The process that runs it, and until when that is so unless it says otherwise.
  ADD COLUMN lease_incarnation text REFERENCES coordinators (incarnation) ON UPDATE SET NULL,
  ADD COLUMN lease_ends timestamptz,
  ADD COLUMN retries integer NOT NULL DEFAULT 0 CHECK (retries >= 0),
  ADD COLUMN retry_at timestamptz,
  ADD COLUMN cancel_requested boolean NOT NULL DEFAULT false;

-- Jobs of an earlier release that are still to be run: what later ones are stored with is in their statement.
UPDATE jobs SET
  submitted_by = coalesce(statement->>'submittedBy', ''),
  holders = statement->'specification'->'holders',
  min_contributors = coalesce((statement->'specification'->'protection'->>'minContributors')::integer, 2)
FROM (
  SELECT job AS of, convert_from(decode(envelope->>'payload', 'base64'), 'UTF8')::json AS statement
  FROM jobs WHERE ended_at IS NULL
) AS read
WHERE job = read.of;

CREATE INDEX jobs_by_turn ON jobs (submitted_by, claimed_at);

-- A part of a sum of ciphertexts that somebody is to add up. Rows go when the sum is whole.
CREATE TABLE fold_parts (
  plan_digest sha256_digest NOT NULL REFERENCES rounds,
  part integer NOT NULL CHECK (part >= 0),
  claimed_by text,
  claim_ends timestamptz,
  -- Of the part's sum, when it is stored.
  digest sha256_digest,
  PRIMARY KEY (plan_digest, part)
);

CREATE INDEX fold_parts_to_do ON fold_parts (plan_digest, part) WHERE digest IS NULL;

-- Whoever listens hears of it at once; whoever cannot looks now and then.
CREATE FUNCTION tell_of_job() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('sluice_jobs', NEW.job);
  RETURN NULL;
END
$$;

CREATE TRIGGER jobs_are_told AFTER INSERT OR UPDATE OF state, cancel_requested, retry_at, lease_incarnation ON jobs
  FOR EACH ROW EXECUTE FUNCTION tell_of_job();
CREATE TRIGGER job_events_are_told AFTER INSERT ON job_events
  FOR EACH ROW EXECUTE FUNCTION tell_of_job();
