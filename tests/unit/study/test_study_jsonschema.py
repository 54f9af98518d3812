"""The schema for editors: agrees with the parser on the shipped scenario and on common slips."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from mpc.study.jsonschema import study_json_schema
from mpc.study.parse import parse_study

SCENARIO = Path(__file__).parents[3] / "scenarios" / "visits" / "scenario.yaml"
SCHEMA = study_json_schema()
TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,), "array": (list,), "string": (str,), "integer": (int,),
    "number": (int, float),
}  # fmt: skip
KNOWN = {
    "$schema", "$defs", "$ref", "title", "description", "default", "format", "discriminator",
    "type", "const", "enum", "anyOf", "oneOf", "properties", "patternProperties", "required",
    "additionalProperties", "propertyNames", "items", "prefixItems", "pattern", "minLength",
    "maxLength", "minItems", "maxItems", "minProperties", "maxProperties", "minimum", "maximum",
    "exclusiveMinimum",
}  # fmt: skip


def complaints(value: Any, schema: dict[str, Any], path: str = "") -> list[str]:
    """What JSON Schema 2020-12 says against ``value``, for the words that our schema uses."""
    assert set(schema) <= KNOWN, set(schema) - KNOWN
    if "$ref" in schema:
        return complaints(value, SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]], path)
    for word, least in (("anyOf", 1), ("oneOf", 1)):
        if word in schema:
            fits = [not complaints(value, one, path) for one in schema[word]]
            fine = sum(fits) >= least if word == "anyOf" else sum(fits) == 1
            return [] if fine else [f"{path}: {word}"]
    return list(_complaints(value, schema, path))


def _complaints(value: Any, schema: dict[str, Any], path: str) -> Iterator[str]:
    kind = schema.get("type")
    if kind is not None and (isinstance(value, bool) or not isinstance(value, TYPES[kind])):
        yield f"{path}: not {kind}"
        return
    if "const" in schema and value != schema["const"]:
        yield f"{path}: const"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{path}: enum"
    if isinstance(value, dict):
        yield from _object_complaints(value, schema, path)
    elif isinstance(value, list):
        if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", 10**9):
            yield f"{path}: count"
        prefix = schema.get("prefixItems", [])
        for index, item in enumerate(value):
            inner = prefix[index] if index < len(prefix) else schema.get("items", {})
            yield from complaints(item, inner, f"{path}.{index}")
    elif isinstance(value, str):
        if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", 10**9):
            yield f"{path}: length"
        if "pattern" in schema and not re.search(schema["pattern"], value):
            yield f"{path}: pattern"
    else:
        above = value > schema.get("exclusiveMinimum", value - 1)
        if not (above and schema.get("minimum", value) <= value <= schema.get("maximum", value)):
            yield f"{path}: range"


def _object_complaints(value: dict[str, Any], schema: dict[str, Any], path: str) -> Iterator[str]:
    properties, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    if not schema.get("minProperties", 0) <= len(value) <= schema.get("maxProperties", 10**9):
        yield f"{path}: count"
    for name in schema.get("required", []):
        if name not in value:
            yield f"{path}.{name}: required"
    for name, item in value.items():
        matching = [inner for pattern, inner in patterns.items() if re.search(pattern, name)]
        if name in properties:
            matching.append(properties[name])
        if not matching and schema.get("additionalProperties") is False:
            yield f"{path}.{name}: unknown"
        for inner in matching:
            yield from complaints(item, inner, f"{path}.{name}")


def as_editors_see(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


def test_the_schema_is_plain_json() -> None:
    assert json.loads(json.dumps(SCHEMA, allow_nan=False)) == SCHEMA
    assert SCHEMA["title"] == "Parley scenario"


def test_the_shipped_scenario_fits_the_schema() -> None:
    assert complaints(as_editors_see(SCENARIO.read_text(encoding="utf-8")), SCHEMA) == []


@pytest.mark.parametrize(
    ("written", "slip", "complaint"),
    [
        ("epsilon: 1\n", "epsilon: -1\n", ".privacy.epsilon: range"),
        ("epsilon: 1\n", "epsilon: '1'\n", ".privacy.epsilon: not number"),
        ("  delta: 0.000001\n", "", ".privacy.delta: required"),
        ("recipients:", "recipient:", ".recipients: required"),
        ("recipients:", "dealer: Dealing House\nrecipients:", ".dealer: pattern"),
        ("kind: row", "kind: person", ".table.unit: oneOf"),
        ("  insurer-west:", "  Insurer West:", ".parties.Insurer West: unknown"),
        ("kind: sum\n", "kind: median\n", ".questions.visits_total: oneOf"),
        ("      bounds: [0, 77]\n", "", ".table.columns.mdvis: oneOf"),
    ],
)
def test_common_slips_are_red_in_the_editor_and_refused_by_the_parser(
    written: str, slip: str, complaint: str
) -> None:
    text = SCENARIO.read_text(encoding="utf-8")
    assert text.count(written) >= 1
    text = text.replace(written, slip, 1)
    assert complaint in complaints(as_editors_see(text), SCHEMA)
    with pytest.raises(Exception, match="PLY-S0"):
        parse_study(text.encode(), "scenario.yaml")


def test_numbers_days_and_optional_keys_look_as_yaml_shows_them() -> None:
    number = SCHEMA["$defs"]["NumberColumn"]["properties"]
    assert number["bounds"]["prefixItems"] == [{"type": "number"}, {"type": "number"}]
    assert number["step"]["default"] == 1
    day = SCHEMA["$defs"]["DateColumn"]["properties"]["bounds"]["prefixItems"][0]
    assert day == {"type": "string", "format": "date"}
    assert SCHEMA["$defs"]["Privacy"]["properties"]["coalition"]["type"] == "integer"
    dealer = SCHEMA["properties"]["dealer"]
    assert (dealer["type"], "default" in dealer) == ("string", False)
    assert "dealer" not in SCHEMA["required"]
    assert '"null"' not in json.dumps(SCHEMA)
