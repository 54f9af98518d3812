"""A schema beside a simulated scenario: how tables are written, never whose rows are read."""

from __future__ import annotations

from pathlib import Path

import pytest
from receipts import PARTIES, study

from mpc.errors import FileFaults
from parties.data.catalogue import Catalogue
from parties.data.schema import load_schema
from parties.simulated_files import schema_over
from parties.simulation import Federation

SCHEMA = """\
# how all of them write their stays
version: 1
table: stays
source: {format: csv, files: [data/west.csv], delimiter: ";"}
columns:
  visits: {type: number}
  balance: {type: number}
  sex: {type: text}
"""
HEADER = "visits;balance;sex"


@pytest.fixture
def data(tmp_path: Path) -> dict[str, Path]:
    """A file of each party, none with the rows of another."""
    folder = tmp_path / "data"
    folder.mkdir()
    files = {party: folder / f"{party}.csv" for party in PARTIES}
    for number, path in enumerate(files.values(), start=1):
        path.write_text("\n".join([HEADER, *[f"{number};1.00;f"] * number]) + "\n")
    return files


def test_every_simulated_party_reads_its_own_file_whatever_the_schema_names(
    tmp_path: Path, data: dict[str, Path]
) -> None:
    schema = tmp_path / "schema.yaml"
    schema.write_text(SCHEMA)
    federation = Federation(tmp_path / "federation", study())
    federation.build(data, schema)
    read = {}
    for party, node in federation.nodes.items():
        written = load_schema(node.directory / "stays.schema.yaml").value
        read[party] = written.source.files
        assert written.source.delimiter == ";"  # type: ignore[union-attr]
        assert Catalogue(node.node_config).announced("stays") == 1
    assert read == {party: (str(path.resolve()),) for party, path in data.items()}


@pytest.mark.parametrize("text", ["a: [", "- 1", "source: csv"])
def test_text_that_is_no_schema_keeps_its_faults_to_be_told(
    tmp_path: Path, data: dict[str, Path], text: str
) -> None:
    assert schema_over(text, data["west"]) == text
    schema = tmp_path / "schema.yaml"
    schema.write_text(text)
    with pytest.raises(FileFaults, match=r"stays\.schema\.yaml"):
        Federation(tmp_path / "federation", study()).build(data, schema)
