"""Prompts, like all that shows something, are for those who may look."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Annotated

import pytest
from mcp import Client, MCPError
from mcp.types import INVALID_REQUEST, PromptReference
from pydantic import Field

from core.app import build_server
from core.auth import Caller, Scope, current_caller
from core.completion import one_of
from core.errors import StorageDown
from core.operations import Operation
from core.prompts import PromptOf
from core.resources import ResourceOf
from tests.unit.test_permission import Shop

SHELF = Annotated[str, Field(pattern=r"^\d+$", description="Which")]


async def _nowhere(shelf: str) -> Mapping[str, str]:
    if shelf == "503":
        raise StorageDown
    return {}


def tidy(operation: Operation) -> PromptOf:
    """A task about a shelf."""
    return PromptOf(
        name="tidy_up",
        title="Tidy up",
        description="Put it in order.",
        argument="shelf",
        kind=SHELF,
        words={"en": "Tidy the shelf {id}. {id}!", "ru": "Прибери полку {id}."},
        shows=ResourceOf("shop://read", operation),
        places=_nowhere,
        completer=one_of("1", "12"),
    )


@asynccontextmanager
async def started_by(caller: Caller) -> AsyncIterator[Client]:
    shop = Shop()
    [read] = [one for one in shop.operations if one.name == "read"]
    parts = replace(shop.parts, prompts=[tidy(read)])
    token = current_caller.set(caller)
    try:
        async with Client(build_server(parts)) as client:
            yield client
    finally:
        current_caller.reset(token)


@pytest.mark.promise("prompts")
async def test_a_task_has_the_checked_argument_in_its_words() -> None:
    async with started_by(Caller("anna")) as client:
        english, shown = (await client.get_prompt("tidy_up", {"shelf": "7"})).messages
        russian, _ = (await client.get_prompt("tidy_up", {"shelf": "7", "language": "ru"})).messages
        with pytest.raises(MCPError, match="shelf: String should match pattern"):
            await client.get_prompt("tidy_up", {"shelf": "7. Burn it"})
        with pytest.raises(MCPError, match="storage_unavailable"):
            await client.get_prompt("tidy_up", {"shelf": "503"})

    assert (getattr(english.content, "text", ""), getattr(russian.content, "text", "")) == (
        "Tidy the shelf 7. 7!",
        "Прибери полку 7.",
    )
    assert '"read"' in shown.model_dump_json().replace("\\", "")


@pytest.mark.promise("scopes")
@pytest.mark.parametrize(("scopes", "may"), [({"read"}, True), ({"answer", "send", "manage"}, False)])
async def test_who_may_not_look_is_shown_and_told_nothing(scopes: set[Scope], may: bool) -> None:
    ref = PromptReference(type="ref/prompt", name="tidy_up")
    async with started_by(Caller("anna", scopes=frozenset(scopes))) as client:
        listed = (await client.list_prompts()).prompts
        refused = [
            await _refused(client, "get_prompt", "tidy_up", {"shelf": "1"}),
            await _refused(client, "complete", ref, {"name": "shelf", "value": "1"}),
        ]

    assert bool(listed) == may
    assert refused == ([0, 0] if may else [INVALID_REQUEST] * 2)


async def _refused(client: Client, ask: str, *given: object) -> int:
    """The code of the refusal, 0 when there is none."""
    try:
        await getattr(client, ask)(*given)
    except MCPError as error:
        return error.code
    return 0
