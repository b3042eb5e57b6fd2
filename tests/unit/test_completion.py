"""completion/complete: at most a hundred values, their number as far as it is known, and refusals."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest
from mcp import Client, MCPError
from mcp.server.mcpserver import MCPServer
from mcp.types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    Completion,
    PromptReference,
    ResourceTemplateReference,
)

from core.channel import ChatInfo, ChatPage
from core.chat_completion import ChatIds
from core.completion import Completers, Found, add_completion, one_of
from core.errors import StorageDown
from core.observability import Metrics
from tests.conformance.fixtures import add as add_fixtures
from tests.integration.chats_fixture import SECOND, ManualClock

SHELF = "shop://{shelf}/{box}"


async def _boxes(begins: str, given: Mapping[str, str]) -> Found:
    """So many as the shelf says."""
    if given.get("shelf") == "away":
        raise StorageDown
    return Found([f"{begins}{number}" for number in range(int(given.get("shelf", "0")))])


COMPLETED: Mapping[str, Completers] = {
    SHELF: {"shelf": one_of("100", "101", "7"), "box": _boxes},
    "tidy_up": {"language": one_of("en", "ru")},
}


@asynccontextmanager
async def typing(*, fixtures: bool = False) -> AsyncIterator[Client]:
    server = MCPServer("shop", log_level="WARNING")
    if fixtures:
        add_fixtures(server)
    add_completion(server, COMPLETED, Metrics())
    async with Client(server) as client:
        yield client


async def _complete(client: Client, ref: str, argument: str, value: str, **given: str) -> Completion:
    reference = ResourceTemplateReference(type="ref/resource", uri=ref)
    named = PromptReference(type="ref/prompt", name=ref)
    answer = await client.complete(
        reference if "://" in ref else named, {"name": argument, "value": value}, context_arguments=given
    )
    return answer.completion


@pytest.mark.promise("completion")
@pytest.mark.parametrize(
    ("there_are", "shown", "total"), [(0, 0, 0), (7, 7, 7), (100, 100, 100), (101, 100, None)]
)
async def test_a_hundred_values_are_shown_and_the_total_is_told_when_it_is_known(
    there_are: int, shown: int, total: int | None
) -> None:
    async with typing() as client:
        found = await _complete(client, SHELF, "box", "x", shelf=str(there_are))

    assert len(found.values) == shown
    assert (found.total, found.has_more) == (total, total is None)


@pytest.mark.promise("completion")
async def test_arguments_of_templates_and_prompts_are_completed_by_how_they_begin() -> None:
    async with typing() as client:
        shelves = await _complete(client, SHELF, "shelf", "10")
        languages = await _complete(client, "tidy_up", "language", "")

    assert (list(shelves.values), list(languages.values)) == (["100", "101"], ["en", "ru"])


@pytest.mark.promise("completion")
@pytest.mark.parametrize(
    ("ref", "argument", "given", "code", "said"),
    [
        (
            "shop://nothing/{id}",
            "id",
            {},
            INVALID_PARAMS,
            "There is no template or prompt 'shop://nothing/{id}'",
        ),
        ("clean", "language", {}, INVALID_PARAMS, "There are: shop://{shelf}/{box}, tidy_up"),
        (SHELF, "lid", {}, INVALID_PARAMS, "There are: shelf, box"),
        (SHELF, "box", {"shelf": "away"}, INTERNAL_ERROR, "storage_unavailable"),
    ],
)
async def test_what_cannot_be_completed_says_what_can(
    ref: str, argument: str, given: dict[str, str], code: int, said: str
) -> None:
    async with typing() as client:
        with pytest.raises(MCPError) as refused:
            await _complete(client, ref, argument, "", **given)

    assert (refused.value.code, said in str(refused.value)) == (code, True)


@pytest.mark.promise("conformance")
async def test_what_the_official_suite_completes_is_still_completed() -> None:
    """A server has one completion: ours passes on what it does not know."""
    async with typing(fixtures=True) as client:
        theirs = await _complete(client, "test_prompt_with_arguments", "arg1", "p")
        ours = await _complete(client, SHELF, "shelf", "7")

    assert (list(theirs.values), list(ours.values)) == (["paris", "park", "party"], ["7"])


@pytest.mark.promise("completion")
async def test_a_messenger_is_asked_once_while_somebody_types() -> None:
    """The ids of its latest chats, by account; how many there are behind them nobody knows."""
    asked: list[tuple[int, str, str]] = []

    async def latest(limit: int, cursor: str, account: str) -> ChatPage:
        asked.append((limit, cursor, account))
        ids = [f"{account}a1", f"{account}a2", f"{account}b"]
        return ChatPage(chats=[ChatInfo(chat_id=one) for one in ids], next_cursor="" if account else "3")

    clock = ManualClock()
    ids = ChatIds(latest, clock)
    found = [await ids(begins, {}) for begins in ("", "a", "a2", "x")]
    other = await ids("shop", {"account": "shop"})
    assert (len(asked), list(other.values), other.more) == (2, ["shopa1", "shopa2", "shopb"], False)
    assert [len(one.values) for one in found] == [3, 2, 1, 0]
    assert all(one.more for one in found)
    clock.move(11 * SECOND)
    await ids("", {})
    assert len(asked) == 3
