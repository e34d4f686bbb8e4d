-- Who belongs to the venue: requests (applications and departures), the registry statements made of them, and the
-- signatures that members give to both. The registry itself is what the entered statements add up to.

CREATE TABLE registry_requests (
  digest sha256_digest PRIMARY KEY,
  arrival bigint GENERATED ALWAYS AS IDENTITY,
  envelope json NOT NULL,
  state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'entered', 'refused')),
  -- Why it was refused; for people.
  reason text,
  filed_at timestamptz NOT NULL,
  CHECK (reason IS NULL OR state = 'refused')
);

CREATE INDEX registry_requests_pending ON registry_requests (arrival) WHERE state = 'pending';

-- One statement for each number, for ever: members sign no second one. It is entered when a quorum has signed it.
CREATE TABLE registry_statements (
  sequence integer PRIMARY KEY CHECK (sequence >= 1),
  digest sha256_digest NOT NULL UNIQUE,
  request sha256_digest NOT NULL REFERENCES registry_requests,
  envelope json NOT NULL,
  entered boolean NOT NULL DEFAULT false
);

CREATE UNIQUE INDEX registry_statements_one_proposed ON registry_statements (entered) WHERE NOT entered;

-- Of a request or of a statement, by its digest.
CREATE TABLE registry_signatures (
  statement sha256_digest NOT NULL,
  keyid sha256_digest NOT NULL,
  arrival bigint GENERATED ALWAYS AS IDENTITY,
  -- 64 bytes of Ed25519, base64.
  sig text NOT NULL,
  PRIMARY KEY (statement, keyid)
);

CREATE FUNCTION refuse_registry_rewrite() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.entered
     OR (NEW.sequence, NEW.digest, NEW.request) IS DISTINCT FROM (OLD.sequence, OLD.digest, OLD.request)
     OR NEW.envelope->>'payload' IS DISTINCT FROM OLD.envelope->>'payload' THEN
    RAISE EXCEPTION 'registry statement % is final: the change is refused', OLD.sequence
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END
$$;

CREATE FUNCTION refuse_request_rewrite() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.state <> 'pending'
     OR (NEW.digest, NEW.arrival, NEW.envelope::text, NEW.filed_at)
        IS DISTINCT FROM (OLD.digest, OLD.arrival, OLD.envelope::text, OLD.filed_at) THEN
    RAISE EXCEPTION 'registry request % is settled: the change is refused', OLD.digest
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END
$$;

CREATE TRIGGER registry_requests_settle_once BEFORE UPDATE ON registry_requests
  FOR EACH ROW EXECUTE FUNCTION refuse_request_rewrite();
CREATE TRIGGER registry_requests_stay BEFORE DELETE OR TRUNCATE ON registry_requests
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewrite();
CREATE TRIGGER registry_statements_final BEFORE UPDATE ON registry_statements
  FOR EACH ROW EXECUTE FUNCTION refuse_registry_rewrite();
CREATE TRIGGER registry_statements_stay BEFORE DELETE OR TRUNCATE ON registry_statements
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewrite();
CREATE TRIGGER registry_signatures_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON registry_signatures
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewrite();
