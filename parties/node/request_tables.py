"""The tables of requests, decisions, approvals and the runs that used them."""

from __future__ import annotations

TABLES = """
CREATE TABLE IF NOT EXISTS request (
    plan_digest TEXT PRIMARY KEY,
    study TEXT NOT NULL,
    asked_by TEXT NOT NULL,
    asked_at INTEGER NOT NULL,
    state TEXT NOT NULL,
    summary TEXT NOT NULL,
    decided_by TEXT NOT NULL DEFAULT '',
    decided_at INTEGER NOT NULL DEFAULT 0,
    reason TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE TABLE IF NOT EXISTS decision (
    plan_digest TEXT NOT NULL,
    state TEXT NOT NULL,
    decided_by TEXT NOT NULL,
    decided_at INTEGER NOT NULL,
    reason TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS promised (
    nonce TEXT PRIMARY KEY,
    plan_digest TEXT NOT NULL,
    coordinator TEXT NOT NULL,
    approved_by TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    used INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE IF NOT EXISTS run (
    run TEXT PRIMARY KEY,
    plan_digest TEXT NOT NULL,
    coordinator TEXT NOT NULL,
    domain TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS used (
    run TEXT PRIMARY KEY,
    plan_digest TEXT NOT NULL,
    decision INTEGER NOT NULL -- which of the plan's, from 1
) STRICT;
"""
