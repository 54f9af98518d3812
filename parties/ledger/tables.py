"""The ledger's tables. Triggers keep history: charges move once, and what left stays as it was.

``computed_unix_s`` is when the party's part was done: before, a run's end may be its rows' doing.
``shared_unix_s``, if ever, is when masked shares of what it noised began to leave: after that the
charge is kept, however the run ends.

``chain`` has a head for every step of every charge, ``witness`` the highest mark that each peer
showed, ``evidence`` what peers showed of this ledger that is not in its chain
(:mod:`parties.ledger.chain`).

``bounds`` has what binds beside the caps, the last row of a domain counting.

``rho`` is in 10^-12 and ``delta`` in 10^-18, as charged in the domain's own unit.
"""

from __future__ import annotations

TABLES = """
CREATE TABLE IF NOT EXISTS domain (
    name TEXT PRIMARY KEY,
    currency TEXT NOT NULL CHECK (currency = 'zcdp'),
    unit_rows_max INTEGER NOT NULL CHECK (unit_rows_max >= 1),
    unit_adjacency TEXT NOT NULL,
    rho_cap INTEGER NOT NULL CHECK (rho_cap >= 0),
    delta_cap INTEGER NOT NULL CHECK (delta_cap >= 0)
) STRICT;

CREATE TABLE IF NOT EXISTS cap (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    domain TEXT NOT NULL REFERENCES domain (name),
    unix_s INTEGER NOT NULL,
    rho_cap INTEGER NOT NULL,
    delta_cap INTEGER NOT NULL,
    set_by TEXT NOT NULL,
    reason TEXT NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS bounds (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    domain TEXT NOT NULL REFERENCES domain (name),
    unix_s INTEGER NOT NULL,
    monthly_rho INTEGER CHECK (monthly_rho >= 0),
    partners TEXT NOT NULL,
    set_by TEXT NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS charge (
    run TEXT PRIMARY KEY,
    domain TEXT NOT NULL REFERENCES domain (name),
    plan_digest TEXT NOT NULL,
    study TEXT NOT NULL,
    partner TEXT NOT NULL,
    coordinator TEXT NOT NULL,
    lead TEXT NOT NULL,
    lead_organization TEXT NOT NULL,
    purpose TEXT NOT NULL,
    approved_by TEXT NOT NULL,
    event BLOB NOT NULL,
    rho INTEGER NOT NULL CHECK (rho >= 0),
    delta INTEGER NOT NULL CHECK (delta >= 0),
    state TEXT NOT NULL CHECK (state IN ('reserved', 'committed', 'released', 'forfeited')),
    reserved_unix_s INTEGER NOT NULL,
    expires_unix_s INTEGER NOT NULL,
    computed_unix_s INTEGER,
    shared_unix_s INTEGER,
    settled_unix_s INTEGER
) STRICT;
CREATE INDEX IF NOT EXISTS charge_by_domain ON charge (domain, state);
CREATE INDEX IF NOT EXISTS charge_by_partner ON charge (partner, state);

CREATE TABLE IF NOT EXISTS outbox (
    run TEXT PRIMARY KEY REFERENCES charge (run),
    message BLOB NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS chain (
    counter INTEGER PRIMARY KEY,
    head BLOB NOT NULL,
    run TEXT NOT NULL REFERENCES charge (run),
    step TEXT NOT NULL,
    unix_s INTEGER NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS witness (
    party TEXT PRIMARY KEY,
    counter INTEGER NOT NULL,
    head BLOB NOT NULL,
    mark BLOB NOT NULL,
    ready BLOB NOT NULL,
    run TEXT NOT NULL REFERENCES charge (run)
) STRICT;

CREATE TABLE IF NOT EXISTS evidence (
    party TEXT NOT NULL,
    counter INTEGER NOT NULL,
    head BLOB NOT NULL,
    mark BLOB NOT NULL,
    ready BLOB NOT NULL,
    unix_s INTEGER NOT NULL,
    PRIMARY KEY (party, counter, head)
) STRICT;

CREATE TRIGGER IF NOT EXISTS chain_only_grows BEFORE INSERT ON chain
WHEN NEW.counter <= (SELECT coalesce(max(counter), 0) FROM chain)
BEGIN SELECT RAISE(ABORT, 'a chain only grows'); END;
CREATE TRIGGER IF NOT EXISTS chain_is_final BEFORE UPDATE ON chain
BEGIN SELECT RAISE(ABORT, 'a chain is never changed'); END;
CREATE TRIGGER IF NOT EXISTS chain_stays BEFORE DELETE ON chain
BEGIN SELECT RAISE(ABORT, 'a chain is never deleted'); END;
CREATE TRIGGER IF NOT EXISTS witness_only_grows BEFORE UPDATE ON witness
WHEN NEW.counter <= OLD.counter OR NEW.party <> OLD.party
BEGIN SELECT RAISE(ABORT, 'what a peer showed is only followed by more'); END;
CREATE TRIGGER IF NOT EXISTS witness_stays BEFORE DELETE ON witness
BEGIN SELECT RAISE(ABORT, 'what a peer showed is never deleted'); END;
CREATE TRIGGER IF NOT EXISTS evidence_is_final BEFORE UPDATE ON evidence
BEGIN SELECT RAISE(ABORT, 'evidence is never changed'); END;
CREATE TRIGGER IF NOT EXISTS evidence_stays BEFORE DELETE ON evidence
BEGIN SELECT RAISE(ABORT, 'evidence is never deleted'); END;

CREATE TRIGGER IF NOT EXISTS domain_terms_stay
BEFORE UPDATE OF name, currency, unit_rows_max, unit_adjacency ON domain
BEGIN SELECT RAISE(ABORT, 'the terms of a privacy domain never change'); END;
CREATE TRIGGER IF NOT EXISTS domain_stays BEFORE DELETE ON domain
BEGIN SELECT RAISE(ABORT, 'a privacy domain is never deleted'); END;

CREATE TRIGGER IF NOT EXISTS cap_is_final BEFORE UPDATE ON cap
BEGIN SELECT RAISE(ABORT, 'history is never changed'); END;
CREATE TRIGGER IF NOT EXISTS cap_stays BEFORE DELETE ON cap
BEGIN SELECT RAISE(ABORT, 'history is never deleted'); END;

CREATE TRIGGER IF NOT EXISTS bounds_are_final BEFORE UPDATE ON bounds
BEGIN SELECT RAISE(ABORT, 'history is never changed'); END;
CREATE TRIGGER IF NOT EXISTS bounds_stay BEFORE DELETE ON bounds
BEGIN SELECT RAISE(ABORT, 'history is never deleted'); END;

CREATE TRIGGER IF NOT EXISTS charge_moves_once BEFORE UPDATE ON charge
WHEN OLD.state <> 'reserved'
    OR (NEW.state = 'released' AND OLD.shared_unix_s IS NOT NULL)
    OR (NEW.state = 'reserved' AND NOT (
        (OLD.computed_unix_s IS NULL AND NEW.computed_unix_s IS NOT NULL
            AND NEW.shared_unix_s IS NULL)
        OR (OLD.computed_unix_s = NEW.computed_unix_s
            AND OLD.shared_unix_s IS NULL AND NEW.shared_unix_s IS NOT NULL)))
BEGIN SELECT RAISE(ABORT, 'only a reservation moves, once'); END;
CREATE TRIGGER IF NOT EXISTS charge_terms_stay
BEFORE UPDATE OF run, domain, plan_digest, study, partner, coordinator, lead, lead_organization,
    purpose, approved_by, event, rho, delta,
    reserved_unix_s, expires_unix_s ON charge
BEGIN SELECT RAISE(ABORT, 'the terms of a charge never change'); END;
CREATE TRIGGER IF NOT EXISTS charge_stays BEFORE DELETE ON charge
BEGIN SELECT RAISE(ABORT, 'a charge is never deleted'); END;

CREATE TRIGGER IF NOT EXISTS outbox_only_of_committed BEFORE INSERT ON outbox
WHEN (SELECT state FROM charge WHERE run = NEW.run) IS NOT 'committed'
BEGIN SELECT RAISE(ABORT, 'only a committed run has a message'); END;
CREATE TRIGGER IF NOT EXISTS outbox_is_final BEFORE UPDATE ON outbox
BEGIN SELECT RAISE(ABORT, 'a committed message never changes'); END;
CREATE TRIGGER IF NOT EXISTS outbox_stays BEFORE DELETE ON outbox
BEGIN SELECT RAISE(ABORT, 'a committed message is never deleted'); END;
"""
