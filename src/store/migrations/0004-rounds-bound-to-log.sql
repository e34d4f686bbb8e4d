-- Rounds whose set is closed in two steps, candidates and manifest (docs/adr/0009, 0010), and that can be given up for good.

ALTER TABLE rounds
  ADD COLUMN candidates json,
  ADD COLUMN abandonment json,
  ADD COLUMN publication json;

ALTER TABLE rounds DROP CONSTRAINT rounds_phase_check;
ALTER TABLE rounds ADD CONSTRAINT rounds_phase_check
  CHECK (phase IN ('collecting', 'checking', 'sealed', 'certified', 'opened', 'published', 'abandoned'));
ALTER TABLE rounds DROP CONSTRAINT sealed_round_has_manifest;
ALTER TABLE rounds ADD CONSTRAINT sealed_round_has_manifest
  CHECK (phase IN ('collecting', 'checking', 'abandoned') OR manifest IS NOT NULL);
ALTER TABLE rounds ADD CONSTRAINT checking_round_has_candidates
  CHECK (phase IN ('collecting', 'abandoned') OR candidates IS NOT NULL);
ALTER TABLE rounds ADD CONSTRAINT only_abandoned_round_has_abandonment
  CHECK (abandonment IS NULL OR phase = 'abandoned');

-- As in 0001, with the new phase; candidates are final, of an abandonment only the signatures grow.
CREATE OR REPLACE FUNCTION refuse_round_rewrite() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  phases CONSTANT text[] :=
    ARRAY['collecting', 'checking', 'sealed', 'certified', 'opened', 'published', 'abandoned'];
BEGIN
  IF (NEW.plan_digest, NEW.job, NEW.round, NEW.step, NEW.plan_envelope::text)
     IS DISTINCT FROM (OLD.plan_digest, OLD.job, OLD.round, OLD.step, OLD.plan_envelope::text)
     OR (OLD.manifest_digest IS NOT NULL AND NEW.manifest_digest IS DISTINCT FROM OLD.manifest_digest)
     OR (OLD.manifest IS NOT NULL AND NEW.manifest->>'payload' IS DISTINCT FROM OLD.manifest->>'payload')
     OR (OLD.candidates IS NOT NULL AND NEW.candidates::text IS DISTINCT FROM OLD.candidates::text)
     OR (OLD.publication IS NOT NULL AND NEW.publication::text IS DISTINCT FROM OLD.publication::text)
     OR (OLD.abandonment IS NOT NULL AND NEW.abandonment->>'payload' IS DISTINCT FROM OLD.abandonment->>'payload')
     OR array_position(phases, NEW.phase) < array_position(phases, OLD.phase)
     OR (OLD.phase = 'published' AND NEW.phase = 'abandoned') THEN
    RAISE EXCEPTION 'round % is final in what it has: the change is refused', OLD.plan_digest
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END
$$;
