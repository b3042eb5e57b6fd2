"""Clients at the hub: looked up, suggested, merged and separated, told and forgotten."""

from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest

from core.auth import Caller
from core.errors import Forbidden, NotFound, Rejected
from orchestrator.hub_clients import ClientDesk
from tests.integration.test_hub import Agents, opened
from tests.integration.test_review_meetings import as_operator

PHONE = "+79161234567"


@pytest.fixture
async def agents(redis_url: str, database_url: str) -> AsyncIterator[Agents]:
    async with opened(redis_url, database_url) as made:
        yield made


async def two(agents: Agents) -> tuple[str, str]:
    """Anna on Telegram with her phone; somebody on Avito who has typed it."""
    await agents.customer(
        "Да", chat="t", channel="telegram", external_user_id="t", client_phone=PHONE, client_name="Анна"
    )
    await agents.customer(f"Мой номер {PHONE}", chat="a", external_user_id="a")
    rows = await agents.here.rows("SELECT id FROM clients ORDER BY id")
    return str(rows[0][0]), str(rows[1][0])


async def test_a_client_is_shown_with_handles_facts_and_cases(agents: Agents) -> None:
    anna, _ = await two(agents)

    card = await agents.call("get_client", client_id=anna)

    assert (card["name_untrusted"], card["phone"]) == ("Анна", PHONE)
    assert card["handles"] == [
        {"channel": "telegram", "account": "default", "user_id": "t", "evidence": "vendor_account"}
    ]
    assert [(one["kind"], one["evidence"]) for one in card["facts"]] == [
        ("name", "vendor"),
        ("phone", "vendor"),
    ]
    assert [one["channel"] for one in card["appeals"]] == ["telegram"]
    with pytest.raises(NotFound):
        await agents.call("get_client", client_id="404")


@pytest.mark.parametrize(
    ("query", "found"), [("анн", 1), ("8", 0), ("+7 (916) 123-45-67", 1), ("a", 1), ("", 2)]
)
async def test_clients_are_found_by_name_phone_and_handle(agents: Agents, query: str, found: int) -> None:
    await two(agents)

    assert len((await agents.call("list_clients", query=query))["clients"]) == found


async def test_a_list_goes_on_where_the_page_before_ended(agents: Agents) -> None:
    anna, other = await two(agents)

    first = await agents.call("list_clients", limit=1)
    second = await agents.call("list_clients", limit=1, cursor=first["next_cursor"])

    assert [one["clients"][0]["client_id"] for one in (first, second)] == [other, anna]
    assert second["next_cursor"] == ""
    with pytest.raises(Rejected, match="cursor"):
        await agents.call("list_clients", cursor="x")


async def test_a_suggestion_is_accepted_and_the_merge_undone(agents: Agents) -> None:
    anna, other = await two(agents)
    [pair] = (await agents.call("list_suggestions"))["suggestions"]
    assert (pair["client_id"], pair["other_id"], pair["why"]) == (anna, other, "typed_phone")

    merged = await as_operator(agents, "accept_suggestion", suggestion_id=pair["suggestion_id"])

    assert (merged["winner_id"], merged["loser_id"], merged["why_untrusted"]) == (anna, other, "typed_phone")
    assert (await agents.call("list_suggestions"))["suggestions"] == []
    assert len((await agents.call("list_suggestions", which="accepted"))["suggestions"]) == 1
    assert (await agents.call("get_client", client_id=other))["client_id"] == anna
    assert [one["merge_id"] for one in (await agents.call("list_merges", client_id=anna))["merges"]] == [
        merged["merge_id"]
    ]
    await as_operator(agents, "unmerge_clients", merge_id=merged["merge_id"])
    assert (await agents.call("get_client", client_id=other))["client_id"] == other
    with pytest.raises(Rejected, match="undone before"):
        await as_operator(agents, "unmerge_clients", merge_id=merged["merge_id"])


async def test_a_dismissed_suggestion_is_not_made_again(agents: Agents) -> None:
    await two(agents)
    [pair] = (await agents.call("list_suggestions"))["suggestions"]

    assert (await as_operator(agents, "dismiss_suggestion", suggestion_id=pair["suggestion_id"]))[
        "state"
    ] == "dismissed"

    await agents.customer(f"Повторяю: {PHONE}", chat="a", external_user_id="a", client_email="a@example.org")
    assert (await agents.call("list_suggestions"))["suggestions"] == []
    for name in ("dismiss_suggestion", "accept_suggestion"):
        with pytest.raises(NotFound):
            await as_operator(agents, name, suggestion_id=pair["suggestion_id"])


async def test_an_erasure_wants_the_number_twice(agents: Agents) -> None:
    anna, other = await two(agents)
    with pytest.raises(Rejected, match="once more"):
        await as_operator(agents, "erase_client", client_id=anna, confirm=other)
    export = await as_operator(agents, "export_client", client_id=anna)
    assert len(export["tables"]["messages_history"]) == 1

    report = await as_operator(agents, "erase_client", client_id=anna, confirm=anna)

    assert (report["client_id"], report["tables"]["clients"]) == (anna, 1)
    for name in ("get_client", "export_client"):
        with pytest.raises(NotFound):
            await as_operator(agents, name, client_id=anna)
    assert (await agents.call("get_client", client_id=other))["client_id"] == other


@pytest.mark.promise("closed")
@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("merge_clients", {"winner_id": "1", "loser_id": "2"}),
        ("unmerge_clients", {"merge_id": "1"}),
        ("accept_suggestion", {"suggestion_id": "1"}),
        ("dismiss_suggestion", {"suggestion_id": "1"}),
        ("export_client", {"client_id": "1"}),
        ("erase_client", {"client_id": "1", "confirm": "1"}),
    ],
)
async def test_an_agents_key_decides_nothing_about_clients(
    agents: Agents, name: str, given: dict[str, Any]
) -> None:
    await two(agents)
    for ask in (agents.call, partial(agents.asked_by, Caller("agent"))):
        with pytest.raises(Forbidden, match="operator"):
            await ask(name, **given)
    assert await agents.here.value("SELECT count(*) FROM clients") == 2


def test_models_may_only_look_a_client_up() -> None:
    parts: Any = type("Parts", (), {"pool": None})()
    assert [one.name for one in ClientDesk(parts).operations() if one.tool] == ["get_client"]
