"""The published schemas of tests/schemas (its README names their sources)."""

import json
from pathlib import Path
from typing import Any

from jsonschema import Draft7Validator, FormatChecker

_FOLDER = Path(__file__).parents[1] / "schemas"


def mistakes(document: Any, schema: str) -> list[str]:
    """Where the document departs from the schema, in words; nothing when it does not."""
    read = json.loads((_FOLDER / f"{schema}.schema.json").read_text("utf-8"))
    Draft7Validator.check_schema(read)
    found = Draft7Validator(read, format_checker=FormatChecker()).iter_errors(document)
    return [f"{error.json_path}: {error.message}" for error in found]
