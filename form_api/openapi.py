"""The public routes in the OpenAPI document."""

from typing import Any

from pydantic import BaseModel

from form_api.body import JSON, MULTIPART, URLENCODED
from form_api.forms import Quiz, Submit

_PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
_REFUSALS = {
    "400": "The body cannot be read",
    "403": "Pages of this site may not post here",
    "413": "The body is too large",
    "415": "Another content type",
    "422": "Fields that are wrong or missing, each by name",
    "429": "Too many submissions; Retry-After says when to come back",
    "503": "Nothing could store it; repeat in a moment",
}
_TAKEN = {
    "type": "object",
    "required": ["ok", "id"],
    "properties": {
        "ok": {"type": "boolean", "const": True},
        "id": {"type": "string", "description": "external_message_id of the unified message"},
    },
}
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "repeat it with the same answers and the submission is one message",
    "schema": {"type": "string"},
}


def described() -> dict[str, Any]:
    """Path items of /api/submit and /api/quiz; public, so without a key."""
    return {
        "/api/submit": {"post": _operation("submit", "Submit a contact form", Submit)},
        "/api/quiz": {"post": _operation("quiz", "Submit a quiz", Quiz)},
    }


def _operation(name: str, summary: str, form: type[BaseModel]) -> dict[str, Any]:
    schema = _inlined(form.model_json_schema())
    refusals = {status: {"description": says, "content": _PROBLEM} for status, says in _REFUSALS.items()}
    taken = {"description": "Stored", "content": {JSON: {"schema": _TAKEN}}}
    return {
        "operationId": name,
        "summary": summary,
        "security": [],
        "parameters": [_KEY],
        "requestBody": {
            "required": True,
            "content": {kind: {"schema": schema} for kind in (JSON, URLENCODED, MULTIPART)},
        },
        "responses": {"200": taken, **refusals},
    }


def _inlined(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with its definitions put where they are used: path items have no $defs of their own."""
    definitions = schema.pop("$defs", {})

    def resolved(value: Any) -> Any:
        if isinstance(value, dict):
            if "$ref" in value:
                return resolved(definitions[value["$ref"].rpartition("/")[2]])
            return {name: resolved(item) for name, item in value.items()}
        return [resolved(item) for item in value] if isinstance(value, list) else value

    inlined: dict[str, Any] = resolved(schema)
    return inlined
