"""The files of simulated participants, derived from the scenario they take part in.

A simulated owner declares the columns the scenario uses and allows what the scenario asks. Real
owners write these files themselves, and theirs decide.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, MutableMapping, Sequence
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from mpc.accounting.event import Noise
from mpc.columns.model import CategoryColumn, DateColumn, IdColumn
from mpc.errors import TransportError
from mpc.plan.build import columns_of_study
from mpc.questions.registry import QUESTION_KINDS
from mpc.study.model import PersonUnit, RowUnit, Study
from parties.new_files import DOMAIN, EXCHANGE_PORTS

LIFETIME_STUDIES = 4
"""A simulated domain's epsilon, in studies like the one simulated."""

DEALER_WAIT_S = 3600  # parties may compute for so long between two things they are dealt
PORT_FIRST, PORT_LAST = 20_000, 32_000  # below what systems hand out by themselves
LOOPBACK = "127.0.0.1"
COORDINATOR = "coordinator"


def schema_for(study: Study, data: Path) -> str:
    """A schema file that declares the study's columns as plain text, numbers or dates in CSV."""
    columns: dict[str, Any] = {}
    for name, column in study.table.columns.items():
        if isinstance(column, CategoryColumn | IdColumn):
            columns[name] = {"type": "text"}
        elif isinstance(column, DateColumn):
            columns[name] = {"type": "date", "format": "%Y-%m-%d"}
        else:
            columns[name] = {"type": "number"}
    source = {"format": "parquet" if data.suffix == ".parquet" else "csv", "files": [str(data)]}
    unit = study.table.unit
    person = {"person": unit.column} if isinstance(unit, PersonUnit) else {}
    return _yaml(
        {"version": 1, "table": study.table.name, "source": source, "columns": columns, **person},
        "Derived from the scenario: a simulated owner holds just these columns.",
    )


def schema_over(schema: str, data: Path) -> str:
    """``schema`` with ``data`` as its only file, whatever ``files`` it names; else as it is.

    A text that is no schema comes back unchanged: its faults are for who registers it to tell.
    """
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096
    try:
        said = yaml.load(schema)
    except YAMLError:
        return schema
    source = said.get("source") if isinstance(said, MutableMapping) else None
    if not isinstance(source, MutableMapping):
        return schema
    source["files"] = [str(data)]
    text = StringIO()
    yaml.dump(said, text)
    return text.getvalue()


def policy_for(study: Study) -> str:
    """A policy that allows what the study asks, and a lifetime of a few such studies."""
    cap = {"epsilon": _number(study.privacy.epsilon), "delta": _number(study.privacy.delta)}
    lifetime = {
        **cap,
        "epsilon": _number(min(study.privacy.epsilon * LIFETIME_STUDIES, Decimal(100))),
    }
    uses = {name: sorted(use.value for use in used) for name, used in columns_of_study(study)}
    content: dict[str, Any] = {
        "version": 1,
        "owner": {"name": "Simulated owner", "email": "owner@simulation.example"},
        "approval": "automatic",
        "coordinators": [COORDINATOR],
        "partners": [study.lead.organization],
        "recipients": list(study.recipients),
        "purposes": {study.purpose: {"kinds": list(QUESTION_KINDS)}},
        "tables": {study.table.name: {"columns": uses}},
        "parties_min": min(2, len(study.parties)),
        "coalition_min": 1,
        "noises": [noise.value for noise in study.privacy.noises or (Noise.OWN,)],
        "adjacencies": [study.privacy.adjacency.value],
        "study_budget": cap,
        "domains": {
            DOMAIN: {
                **lifetime,
                "adjacency": study.privacy.adjacency.value,
                **_unit_of(study.table.unit),
            }
        },
        "budget_published": True,
    }
    if study.dealer is not None:
        content["dealers"] = [study.dealer]
    return _yaml(content, "Derived from the scenario: a simulated owner allows what it asks.")


def _unit_of(unit: RowUnit | PersonUnit) -> dict[str, Any]:
    return {"unit": "person"} if isinstance(unit, PersonUnit) else {"rows_max": unit.rows_max}


def node_file(study: Study, party: str, pins: Mapping[str, str]) -> str:
    """The node file of a simulated party, on free loopback ports."""
    table = study.table.name
    content = {
        "version": 1,
        "party": party,
        **_served(party, pins),
        "policy": "policy.yaml",
        "tables": {
            table: {
                "schema_file": f"{table}.schema.yaml",
                "domain": DOMAIN,
                "rows_max": study.parties[party].rows_max,
            }
        },
    }
    return _yaml(content, "A simulated party.")


def dealer_file(dealer: str, organizations: Sequence[str], pins: Mapping[str, str]) -> str:
    """The file of a simulated dealer that deals for ``organizations``, on free loopback ports."""
    content = {
        "version": 1,
        "dealer": dealer,
        **_served(dealer, pins, wait_s=DEALER_WAIT_S),
        "organizations": list(organizations),
    }
    return _yaml(content, "A simulated dealer.")


def _served(own: str, pins: Mapping[str, str], **exchange: int) -> dict[str, Any]:
    """What every file of a participant that serves says."""
    first = free_ports(EXCHANGE_PORTS + 1)
    return {
        "listen": f"{LOOPBACK}:{first}",
        "identity": "identity",
        "state": "state",
        "coordinators": [COORDINATOR],
        "peers": {peer: pin for peer, pin in pins.items() if peer != own},
        "exchange": {
            "host": LOOPBACK,
            "ports": [first + 1, first + EXCHANGE_PORTS],
            **exchange,
        },
    }


def coordinator_file(
    parties: Mapping[str, str], dealers: Mapping[str, str], pins: Mapping[str, str]
) -> str:
    """The coordinator's file: where each party and dealer is and who it must be."""

    def listed(addresses: Mapping[str, str]) -> dict[str, Any]:
        return {
            member: {"address": address, "fingerprint": pins[member]}
            for member, address in addresses.items()
        }

    content = {
        "version": 1,
        "coordinator": COORDINATOR,
        "identity": "identity",
        "state": "state",
        "parties": listed(parties),
        "dealers": listed(dealers),
    }
    return _yaml(content, "The simulated coordinator.")


def _number(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)


def _yaml(content: Mapping[str, Any], comment: str) -> str:
    text = StringIO()
    writer = YAML()
    writer.default_flow_style = False
    writer.width = 4096  # no fingerprint is broken in two
    writer.dump(dict(content), text)
    return f"# {comment}\n{text.getvalue()}"


def free_ports(count: int) -> int:
    """The first of ``count`` neighbouring ports that are free on the loopback now."""
    for _ in range(200):
        span = PORT_LAST - PORT_FIRST - count
        first = PORT_FIRST + int.from_bytes(os.urandom(4), "big") % span
        if all(_is_free(port) for port in range(first, first + count)):
            return first
    raise TransportError("no free ports on this machine")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
