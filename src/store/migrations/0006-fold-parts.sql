-- Parts of sums are added up by whoever is there (docs/adr/0015); 0005 has the table.

-- Why a helper could not add it up: then it is left to the coordinator of the round.
ALTER TABLE fold_parts ADD COLUMN fault text;

-- In the order in which parts are taken: of all rounds the lowest first, so that a small round does not wait for a large one.
DROP INDEX fold_parts_to_do;
CREATE INDEX fold_parts_to_do ON fold_parts (part, plan_digest) WHERE digest IS NULL;

-- A trigger and not a part of the statement that moves the round: it sees also parts that were put up a moment before.
CREATE FUNCTION forget_fold_parts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM fold_parts WHERE plan_digest = NEW.plan_digest;
  RETURN NULL;
END
$$;

CREATE TRIGGER fold_parts_end AFTER UPDATE OF phase ON rounds
  FOR EACH ROW WHEN (NEW.phase IN ('opened', 'abandoned')) EXECUTE FUNCTION forget_fold_parts();

-- Whoever listens hears of it at once; whoever cannot looks now and then.
CREATE FUNCTION tell_of_folds() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('sluice_folds', '');
  RETURN NULL;
END
$$;

CREATE TRIGGER fold_parts_are_told AFTER INSERT OR DELETE OR UPDATE OF digest, fault ON fold_parts
  FOR EACH STATEMENT EXECUTE FUNCTION tell_of_folds();
