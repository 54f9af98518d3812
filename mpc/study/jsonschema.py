"""The JSON Schema of scenario files, for editors: completion, documentation, early red lines.

Follows the model with what YAML shows an editor: numbers are numbers, days are text. It says less
than :mod:`mpc.study.parse`, which alone decides.
"""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from mpc.study.model import Study

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def study_json_schema() -> dict[str, Any]:
    """Schema of a whole scenario file (draft 2020-12), as plain JSON values."""
    schema = Study.model_json_schema(schema_generator=_EditorSchema, mode="validation")
    return {"$schema": DIALECT, **schema, "title": "Parley scenario"}


class _EditorSchema(GenerateJsonSchema):
    """Pydantic's schema, with decimals as numbers and without null: a key is given or left out."""

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> JsonSchemaValue:
        limits = {
            "gt": "exclusiveMinimum",
            "ge": "minimum",
            "lt": "exclusiveMaximum",
            "le": "maximum",
        }
        found: JsonSchemaValue = {"type": "number"}
        for key, word in limits.items():
            limit = schema.get(key)
            if limit is not None:
                found[word] = float(str(limit))
        return found

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        found = super().dict_schema(schema)
        if "patternProperties" in found:  # names that fit no pattern are mistakes
            found["additionalProperties"] = False
        return found

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        found = super().default_schema(schema)
        if "default" in found and found["default"] is None:
            del found["default"]
        elif found.get("type") == "number" and isinstance(found.get("default"), str):
            found["default"] = float(found["default"])
        return found
