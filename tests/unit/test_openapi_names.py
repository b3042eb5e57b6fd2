"""In /openapi.json a name stands for one schema: each answer is described as its own operation gives it."""

from typing import Any

import pytest
from pydantic import BaseModel, create_model

from core.api import openapi_document
from core.operations import Operation
from core.permission import permitting
from tests.tool_lists import SERVERS


def named(document: dict[str, Any], one: Operation) -> Any:
    """The schema to which the operation's answer leads."""
    described = document["paths"][one.path][one.method.lower()]
    reference = described["responses"]["200"]["content"]["application/json"]["schema"]["$ref"]
    return document["components"]["schemas"][reference.removeprefix("#/components/schemas/")]


@pytest.mark.parametrize("server", SERVERS)
async def test_every_answer_is_described_as_its_operation_gives_it(server: str) -> None:
    parts = SERVERS[server]()
    operations = [permitting(one, parts.confirm) for one in parts.operations]
    document = openapi_document("Demo", "1.0", operations)

    for one in operations:
        own = one.result.model_json_schema(ref_template="#/components/schemas/{model}", mode="serialization")
        own.pop("$defs", None)
        assert named(document, one) == own, one.name


class Weighed(BaseModel):
    """What was weighed."""

    kilos: int


async def weigh() -> Weighed:
    """Weigh it."""
    return Weighed(kilos=2)


class Branch(BaseModel):
    """A branch and what grows on it."""

    branches: list["Branch"]


async def grow() -> Branch:
    """Grow."""
    return Branch(branches=[])


def test_a_model_within_itself_is_described() -> None:
    one = Operation("grow", "Grow", "GET", "/api/tree", grow, "read")

    assert named(openapi_document("Demo", "1.0", [one]), one)["properties"].keys() == {"branches"}


def test_two_schemas_of_one_name_are_refused() -> None:
    """The last one would win, and nobody would see it."""

    async def again() -> BaseModel:
        """Weigh it anew."""
        return Weighed(kilos=2)

    again.__annotations__["return"] = create_model("Weighed", pounds=(int, 1))
    both = [
        Operation("weigh", "Weigh", "GET", "/api/weight", weigh, "read"),
        Operation("again", "Weigh again", "GET", "/api/weight/again", again, "read"),
    ]

    with pytest.raises(ValueError, match="Weighed"):
        openapi_document("Demo", "1.0", both)
