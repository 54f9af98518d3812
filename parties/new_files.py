"""What a new participant starts from: its file, a policy that refuses everything, a schema.

Settings that are switched off start with ``#`` and a setting; explanations with ``#`` and a blank.
Values that are put in come from whoever types the command and are written as JSON, which YAML
reads as it is meant.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

EXCHANGE_PORTS = 16
DOMAIN = "population"
ROWS_MAX = 1_000_000

_NODE = """\
# A party's node. Paths are relative to this file. What starts with # and no blank is a setting at
# its default: take the # off to change it. The file is read when the node starts.
version: 1
party: {party}
listen: {listen} # the control plane: where the coordinator calls
identity: identity # keys and certificates: parley pki
state: state # ledger, requests, announced versions; back it up, never roll it back
policy: policy.yaml

# Those of the peers who may propose studies.
coordinators: [{coordinator}]

# Everyone this node talks to, by fingerprint; nobody else is heard. Written by
# parley pki trust --config, once a fingerprint was compared by another way.
peers: {{}}

# Where the workers of studies listen, one port each, and how long a silence may last: a frozen peer
# is noticed after keepalive_s + timeout_s. Small numbers end studies on busy machines for nothing.
exchange:
  host: {host} # what the other parties dial
  bind: {bind}
  ports: [{first}, {last}] # first and last; one study takes one
  keepalive_s: 3
  timeout_s: 4
#  wait_s: 60 # bound of every single wait for a message; three quarters of it for a dealer's
#  direct: true # false if only HTTP/2 gets to these ports, as through a relay: all then take gRPC

# What studies may take of this machine: threads and memory of each, and how many at once.
#workers:
#  threads: 2
#  memory_mb: 2048
#  at_once: 4

# rows_max is published: a number that the table will never exceed. Studies are proved to fit it.
tables:
  {table}:
    schema_file: {table}.schema.yaml
    domain: {domain} # whose privacy budget it spends: see domains in policy.yaml
    rows_max: {rows_max}
"""

_POLICY = """\
# What may be asked of {party}'s data. What is not written here is refused, so as it stands every
# study is. Take the # off the settings you want, change them, and start the node again.
version: 1

# Whom a refused researcher may ask; sent to the coordinator with every refusal.
#owner: {{name: Data protection officer, email: dpo@example.org}}

# manual: a person decides on what the rules below allow (parley requests list, approve, refuse).
# automatic: the rules decide alone.
approval: manual
# A yes is good for one run, which has to start within so many seconds (60 to 2592000).
#approval_expires_s: 86400

# Who may propose studies, whose studies (organizations of their leads, as certificates and studies
# spell them), and who gets results: coordinator, or ids of parties.
#coordinators: [{coordinator}]
#partners: [Northern University]
#recipients: [coordinator]

# Who may deal the randomness that quantiles compare secrets with. The dealer sees no data, but
# whoever has what it and any one party know reads all that is compared. One of a participant's own
# organization is refused, also by its name here, unless the second setting says true.
#dealers: [dealing-house]
#dealer_organization_shared: false

# For what, and which kinds of question for it.
#purposes:
#  health-services-research:
#    kinds: [count, sum, mean, variance, histogram, quantile]

# Columns, and what each may be used for: filter (to select rows), group (to split them: by, and
# every histogram, whose bins split the column that it is of), aggregate (to be summed or ranked:
# sum, mean, variance, quantile); in studies whose unit is the person also identify (to tell whose
# row it is) and order (to keep a person's first rows by it). A column that is not named is denied.
#tables:
#  {table}:
#    columns:
#      age: [filter]
#      sex: [group]
#      days: [aggregate, group, filter]

# At least so many parties in a study, and the promise must hold when so many of them pool what
# they know (all others, if there are fewer).
#parties_min: 3
#coalition_min: 2

# Answers leave out cells whose noisy count is below this (they print as <10); studies have to say
# so, or a larger number. It changes how results look: what protects people is the noise.
#min_cell: 10

# Noise that you accept: own is drawn here, so that nobody else can weaken it.
#noises: [own]
# What the promise compares: tables with one unit more or less (add_or_remove_one), or with one
# unit's rows replaced by others (replace_one).
#adjacencies: [add_or_remove_one]

# The most that one study may cost one unit, and what all studies together may, for ever. Losses
# add up in the ledger (parley budget show tells it); the cap may be raised later, what was spent
# never comes back. delta lies far below one over the population.
#study_budget: {{epsilon: 1, delta: 0.000001}}
# A domain is a population with one budget. Its unit is one person with so many rows (rows_max) at
# most in any of its tables, under its adjacency, and stays so for ever; a study that protects less
# is charged more. With unit: person in place of rows_max a person may have any number of rows, and
# only studies whose unit is the person can be charged.
#domains:
#  {domain}:
#    epsilon: 4
#    delta: 0.000001
#    rows_max: 1
#    adjacency: add_or_remove_one
#    # Beside that, if you like: the most of any 30 days, and of one partner's studies for ever,
#    # which its coordinator asks or its people lead.
#    monthly: {{epsilon: 1, delta: 0.000001}}
#    partners:
#      Northern University: {{epsilon: 2, delta: 0.000001}}

# Whether coordinators are told what is left.
#budget_published: true

# What one partner may hold of a budget without using it: a study's price for so many seconds, so
# many studies at once, and so many aborted ones within 24 hours. These are the defaults.
#limits:
#  reserve_s: 900
#  reserved_max: 4
#  aborts_max: 20
"""

_SCHEMA = """\
# How the table {table} is written. Nothing is guessed: what is said here rules the reading, and
# parley data check tells every cell that differs, to you alone. Columns and their levels and bounds
# are published to coordinators; files and rows are not.
version: 1
table: {table}
source:
  format: csv # or parquet, with files alone
  files: [{file}] # paths relative to this file; several files of one form are one table
  delimiter: {delimiter}
  encoding: {encoding} # utf-8, windows-1252, latin-1, latin-9 or utf-16
  decimal: '.'
  thousands: ''
  null: [] # spellings of a missing cell beside the blank one, as [NA, '-9']

# type: text, number or date. What may stand beside it:
#   number   bounds: [0, 120]     a cell outside is a fault
#   text     levels: [F, M]       any other text is a fault
#            width: 5             characters of every cell
#   date     format: '%Y-%m-%d'
#   each     required: true       a missing cell is a fault
#            header: 'Age (y)'    what the files call the column
columns:
{columns}
# The column, of type text, that says whose row it is: then studies may take the person as their
# unit, by this column and no other. It never leaves this machine.
#person: patient
"""

_EXAMPLE_COLUMNS = """\
  age: {type: number, bounds: [0, 120]}
  sex: {type: text, levels: [F, M]}
  days: {type: number, bounds: [0, 400]}
"""

_DEALER = """\
# A dealer. It holds no data: it makes the correlated randomness that parties multiply and compare
# with. Paths are relative to this file, which is read when the dealer starts.
version: 1
dealer: {dealer}
listen: {listen} # the control plane: where the coordinator calls
identity: identity # keys and certificates: parley pki
state: state

# Organizations it deals for: those of every party and of the coordinator, as certificates name
# them. Nobody else is dealt for, and an empty list is nobody. Never list your own: who has what a
# dealer and one of its parties know reads all that is multiplied or compared.
organizations: []

# Those of the peers who may start studies.
coordinators: [{coordinator}]

# Everyone this dealer talks to, by fingerprint; nobody else is heard. Written by
# parley pki trust --config, once a fingerprint was compared by another way.
peers: {{}}

# Where the workers of studies listen, one port each, and how long a silence may last: a frozen peer
# is noticed after keepalive_s + timeout_s. wait_s is how long the parties may compute between two
# things they are dealt.
exchange:
  host: {host} # what the parties dial
  bind: {bind}
  ports: [{first}, {last}] # first and last; one study takes one
  keepalive_s: 3
  timeout_s: 4
  wait_s: 3600

#workers: {{at_once: 4}} # studies at once
"""

_COORDINATOR = """\
# A coordinator's office. Paths are relative to this file.
version: 1
coordinator: {coordinator}
identity: identity # keys and certificates: parley pki
state: state # what became of every study, and its receipt

# Where each party's node listens, and the fingerprint it must have. Fingerprints are written by
# parley pki trust --config, once they were compared by another way.
parties:{parties}

# The same of each dealer, for studies that name one. Its organization is nobody else's. One line is
# enough before parley pki trust: dealing-house: {{address: "mpc.dealing-house.example:7200"}}
dealers:{dealers}

# How long a silence may last: who is frozen is noticed after keepalive_s + timeout_s.
#keepalive_s: 3
#timeout_s: 4
"""


def node_text(
    *, party: str, coordinator: str, host: str, port: int, table: str, rows_max: int
) -> str:
    """``node.yaml`` of a new party, without any peer: the node does not start before it has some.

    It listens on the loopback alone if ``host`` is an address of it, else on every interface.
    """
    served = _served(coordinator, host, port)
    return _NODE.format(party=party, table=table, domain=DOMAIN, rows_max=rows_max, **served)


def dealer_text(*, dealer: str, coordinator: str, host: str, port: int) -> str:
    """``dealer.yaml`` of a new dealer, which deals for nobody and has no peer yet.

    It listens as :func:`node_text` says.
    """
    return _DEALER.format(dealer=dealer, **_served(coordinator, host, port))


def _served(coordinator: str, host: str, port: int) -> dict[str, object]:
    """What every file of a participant that serves says."""
    local = host == "localhost" or host.startswith("127.")
    bind = host if local else "0.0.0.0"  # noqa: S104 # peers are to reach it
    return {
        "coordinator": coordinator,
        "listen": f"{bind}:{port}",
        "host": json.dumps(host),
        "bind": bind,
        "first": port + 1,
        "last": port + EXCHANGE_PORTS,
    }


def policy_text(*, party: str, coordinator: str, table: str) -> str:
    """``policy.yaml`` that refuses every study, and shows how to allow one."""
    return _POLICY.format(party=party, coordinator=coordinator, table=table, domain=DOMAIN)


def schema_text(
    *, table: str, file: str, headers: Sequence[str], delimiter: str, encoding: str
) -> str:
    """A schema file that declares ``headers`` as text, or an example if there are none.

    A header that is no name for a column gets one, and stays its header.
    """
    columns = _EXAMPLE_COLUMNS
    if headers:
        columns = "".join(
            f"  {name}: {{type: text{_header(name, header)}}}\n"
            for name, header in column_names(headers).items()
        )
    return _SCHEMA.format(
        table=table,
        file=json.dumps(file),
        delimiter=json.dumps(delimiter),
        encoding=encoding,
        columns=columns,
    )


def _header(name: str, header: str) -> str:
    return "" if name == header else f", header: {json.dumps(header, ensure_ascii=False)}"


def column_names(headers: Sequence[str]) -> Mapping[str, str]:
    """A name that studies can use for each header: lower-case words joined by underscores."""
    names: dict[str, str] = {}
    for place, header in enumerate(headers, start=1):
        words = "".join(c if c.isascii() and c.isalnum() else " " for c in header.lower()).split()
        name = "_".join(words)[:40].rstrip("_")
        if not name or not name[0].isalpha() or name in names:
            name = f"column_{place}"
        names[name] = header
    return names


def coordinator_text(
    *, coordinator: str, parties: Mapping[str, str], dealers: Mapping[str, str]
) -> str:
    """``coordinator.yaml``, of addresses without fingerprints: it is not used before they have."""
    return _COORDINATOR.format(
        coordinator=coordinator, parties=_listed(parties), dealers=_listed(dealers)
    )


def _listed(addresses: Mapping[str, str]) -> str:
    return (
        "".join(
            f"\n  {member}:\n    address: {json.dumps(address)}"
            for member, address in addresses.items()
        )
        or " {}"
    )
