"""Each party's file, held to a schema, as the table that its worker would open."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mpc.study.model import Study
from parties.data.register import check_data
from parties.data.schema import load_schema
from parties.data.table import DuckTable, EngineLimits
from parties.data.versions import RegisteredVersion
from parties.simulated_files import schema_for


def tables_of(study: Study, data: Mapping[str, Path], folder: Path) -> dict[str, DuckTable]:
    """The DuckDB table of every party of ``study``; schemas and spills go to ``folder``."""
    return {party: table_of(study, data[party], folder / party) for party in study.parties}


def table_of(study: Study, data: Path, folder: Path) -> DuckTable:
    folder.mkdir(parents=True)
    schema_file = folder / f"{study.table.name}.schema.yaml"
    schema_file.write_text(schema_for(study, data.resolve()))
    written = load_schema(schema_file)
    files, header, _rows = check_data(written)
    version = RegisteredVersion(1, written.value, files, header)
    return DuckTable(version, study.table, EngineLimits(1, 1024, folder))
