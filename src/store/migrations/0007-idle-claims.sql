-- A job that ends its coordinator every time must not be taken up first for ever (docs/adr/0015).
-- How often it was claimed since a round of it was last published, or it was given back in order.
ALTER TABLE jobs ADD COLUMN idle_claims integer NOT NULL DEFAULT 0 CHECK (idle_claims >= 0);
