"""The table of prepared material. Triggers keep history: what was stored is used once, for ever.

A row holds the random half of its file's key as long as the material is stored, and never again.
"""

from __future__ import annotations

TABLES = """
CREATE TABLE IF NOT EXISTS material (
    run TEXT PRIMARY KEY,
    id TEXT NOT NULL,
    boot TEXT NOT NULL, -- of the machine, when it was stored
    size_bytes INTEGER NOT NULL CHECK (size_bytes > 0),
    state TEXT NOT NULL CHECK (state IN ('stored', 'consumed')),
    key BLOB,
    stored_unix_s INTEGER NOT NULL,
    expires_unix_s INTEGER NOT NULL,
    consumed_unix_s INTEGER,
    coordinator TEXT NOT NULL,
    CHECK ((state = 'stored') = (key IS NOT NULL)),
    CHECK ((state = 'stored') = (consumed_unix_s IS NULL))
) STRICT;
CREATE INDEX IF NOT EXISTS material_by_state ON material (state, expires_unix_s);

CREATE TRIGGER IF NOT EXISTS material_begins_stored BEFORE INSERT ON material
WHEN NEW.state <> 'stored' OR EXISTS (SELECT 1 FROM material WHERE run = NEW.run)
BEGIN SELECT RAISE(ABORT, 'material is stored once, before it is consumed'); END;
CREATE TRIGGER IF NOT EXISTS material_moves_once BEFORE UPDATE ON material
WHEN OLD.state <> 'stored' OR NEW.state <> 'consumed'
BEGIN SELECT RAISE(ABORT, 'material is consumed once, and never comes back'); END;
CREATE TRIGGER IF NOT EXISTS material_terms_stay
BEFORE UPDATE OF run, id, boot, size_bytes, stored_unix_s, expires_unix_s, coordinator ON material
BEGIN SELECT RAISE(ABORT, 'what was stored never changes'); END;
CREATE TRIGGER IF NOT EXISTS material_stays BEFORE DELETE ON material
BEGIN SELECT RAISE(ABORT, 'material is never forgotten'); END;
"""
