"""Resources are operations under a second name: read as JSON, cleaned like a tool's answer."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import pytest
from mcp import Client, MCPError
from mcp.server.mcpserver import MCPServer
from mcp.types import INVALID_PARAMS
from pydantic import BaseModel, Field
from structlog.testing import capture_logs

from core.errors import NotFound, StorageDown
from core.observability import Metrics
from core.operations import Operation
from core.resources import ResourceOf, add_resources
from core.tools import ANSWER_LIMIT


class Shelf(BaseModel):
    """What lies on a shelf."""

    number: int
    label_untrusted: str = ""
    label: str = ""


async def shelves() -> Shelf:
    """All shelves."""
    return Shelf(number=7, label_untrusted="a\u202eb")


async def shelf(number: Annotated[int, Field(ge=1, description="Which")]) -> Shelf:
    """One shelf."""
    if number == 404:
        raise NotFound("There is no such shelf.")
    if number == 503:
        raise StorageDown
    if number == 500:
        raise RuntimeError("the password is correct-horse")
    if number == 422:
        Shelf.model_validate({"number": "correct-horse"})
    if number == 413:
        return Shelf(number=number, label="x" * (ANSWER_LIMIT + 1))
    return Shelf(number=number)


async def box(label: Annotated[str, Field(max_length=9, description="Its label")]) -> Shelf:
    """One box, by its label."""
    return Shelf(number=0, label_untrusted=label)


RESOURCES = (
    ResourceOf("shop://shelves", Operation("shelves", "Shelves", "GET", "/api/shelves", shelves, "read")),
    ResourceOf(
        "shop://shelves/{number}", Operation("shelf", "Shelf", "GET", "/api/shelves/{number}", shelf, "read")
    ),
    ResourceOf(
        "shop://boxes/{id}",
        Operation("box", "Box", "GET", "/api/boxes/{label}", box, "read"),
        {"id": "label"},
        title="Box of a shelf",
    ),
)


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@asynccontextmanager
async def reading(metrics: Metrics) -> AsyncIterator[Client]:
    server = MCPServer("shop", log_level="WARNING")
    add_resources(server, RESOURCES, metrics)
    async with Client(server) as client:
        yield client


async def _read(reader: Client, uri: str) -> dict[str, object]:
    [content] = (await reader.read_resource(uri)).contents
    read: dict[str, object] = json.loads(content.text)  # type: ignore[union-attr]  # text, not bytes
    assert content.mime_type == "application/json"
    return read


async def test_a_fixed_one_is_listed_and_one_with_placeholders_is_a_template(metrics: Metrics) -> None:
    async with reading(metrics) as reader:
        [listed] = (await reader.list_resources()).resources
        template, named = (await reader.list_resource_templates()).resource_templates

    assert (listed.uri, listed.name, listed.title) == ("shop://shelves", "shelves", "Shelves")
    assert listed.description == "All shelves."
    assert (template.uri_template, template.name) == ("shop://shelves/{number}", "shelf")
    assert (template.title, template.description, template.mime_type) == (
        "Shelf",
        "One shelf.",
        "application/json",
    )
    assert (named.uri_template, named.title) == ("shop://boxes/{id}", "Box of a shelf")


async def test_the_answer_is_the_operations_with_customers_words_cleaned(metrics: Metrics) -> None:
    async with reading(metrics) as reader:
        assert await _read(reader, "shop://shelves") == {"number": 7, "label_untrusted": "ab", "label": ""}
        assert await _read(reader, "shop://shelves/3") == {"number": 3, "label_untrusted": "", "label": ""}


@pytest.mark.promise("resources")
@pytest.mark.parametrize(
    "label", ["a/b", "a:b@c", "c:x", "../x", "/x", "%2F", "{id}", "Анна", "a?b#c", "..", "x"]
)
async def test_an_id_of_any_letters_is_read_as_it_is_written_encoded(metrics: Metrics, label: str) -> None:
    """Ids are opaque: what looks like a path, a drive or an address may be somebody's chat."""
    async with reading(metrics) as reader:
        assert (await _read(reader, RESOURCES[2].filled(id=label)))["label_untrusted"] == label


@pytest.mark.parametrize(
    "uri", ["shop://boxes/much-too-long", "shop://shelves/x", "shop://boxes/a%00b", "shop://no"]
)
async def test_what_cannot_be_there_is_not_found(metrics: Metrics, uri: str) -> None:
    """-32602 with the URI, as the specification says; the names are those of the template."""
    async with reading(metrics) as reader:
        with pytest.raises(MCPError) as refused:
            await reader.read_resource(uri)

    assert (refused.value.code, refused.value.data) == (INVALID_PARAMS, {"uri": uri})
    if uri.endswith("long"):
        assert "id: String should have at most 9 characters" in str(refused.value)
        assert "in shop://boxes/{id}. Correct" in str(refused.value)


@pytest.mark.parametrize(
    ("number", "said"),
    [
        ("404", "not_found: There is no such shelf"),
        ("503", "storage_unavailable"),
        ("0", "number: Input should be greater than or equal to 1"),
        ("x", "number: Input should be a valid integer"),
        ("500", "internal_error: The service failed."),
        ("422", "internal_error: The service failed."),
        ("413", "response_too_large: 600"),
    ],
)
async def test_a_refusal_says_what_is_wrong_and_a_fault_of_ours_nothing(
    metrics: Metrics, number: str, said: str
) -> None:
    async with reading(metrics) as reader:
        with pytest.raises(MCPError) as refused, capture_logs() as logged:
            await reader.read_resource(f"shop://shelves/{number}")

    assert said in str(refused.value)
    assert "correct-horse" not in str(refused.value)
    if "internal_error" in said:
        assert refused.value.code != INVALID_PARAMS
        assert [one["event"] for one in logged] == ["resource_failed"]
    labels = {"operation": "resource:shelf", "outcome": "error"}
    assert metrics.registry.get_sample_value("eldoleado_requests_total", labels) == 1
