"""Who may take back what is on its way: looking needs any key, changing an operator's or one's own."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from core.auth import Caller
from core.errors import Forbidden, NotFound
from tests.integration.test_hub import CHAT, Agents, opened
from tests.integration.test_review_meetings import ANNA, as_operator

BOT, OTHER = Caller("bot"), Caller("other")
NOBODY = "00000000-0000-0000-0000-000000000000"


@pytest.fixture
async def agents(redis_url: str, database_url: str) -> AsyncIterator[Agents]:
    async with opened(redis_url, database_url) as made:
        await made.customer("Алло")
        yield made


async def bulk_of(agents: Agents, caller: Caller) -> dict[str, Any]:
    given: dict[str, Any] = {"channel": "avito", "chat_ids": [CHAT], "text": "всем"}
    return await agents.asked_by(caller, "send_bulk", **given)


async def put_off(agents: Agents, caller: Caller, **more: Any) -> str:
    at = (agents.now + timedelta(hours=1)).isoformat()
    given = {"channel": "avito", "chat_id": CHAT, "text": "Напоминаем", "send_at": at, **more}
    return str((await agents.asked_by(caller, "send_message", **given))["delivery_id"])


@pytest.mark.promise("operators-word")
async def test_a_bulk_is_stopped_by_whoever_began_it_and_by_operators(agents: Agents) -> None:
    first, second = await bulk_of(agents, BOT), await bulk_of(agents, BOT)
    with pytest.raises(Forbidden, match="operator"):
        await agents.asked_by(OTHER, "cancel_bulk", bulk_id=first["bulk_id"])
    assert (await agents.asked_by(OTHER, "get_bulk", bulk_id=first["bulk_id"]))["status"] == "running"

    own = await agents.asked_by(BOT, "cancel_bulk", bulk_id=first["bulk_id"])
    anna = await as_operator(agents, "cancel_bulk", bulk_id=second["bulk_id"])

    assert (own["status"], anna["status"]) == ("cancelled", "cancelled")


@pytest.mark.promise("operators-word")
async def test_the_ai_takes_back_its_own_single_words_only(agents: Agents) -> None:
    ours = await put_off(agents, BOT)
    await agents.customer("Алло", chat="other")
    theirs = await put_off(agents, ANNA, chat_id="other", sender="operator", text="Позвоню")
    await bulk_of(agents, BOT)
    in_bulk = await agents.here.value("SELECT id::text FROM outbound WHERE bulk_id IS NOT NULL")

    for delivery_id in (theirs, in_bulk):
        with pytest.raises(Forbidden, match="operator"):
            await agents.asked_by(BOT, "cancel_delivery", delivery_id=delivery_id)

    assert (await agents.asked_by(OTHER, "cancel_delivery", delivery_id=ours))["state"] == "cancelled"
    for delivery_id in (theirs, in_bulk):
        assert (await as_operator(agents, "cancel_delivery", delivery_id=delivery_id))["state"] == "cancelled"


async def test_looking_needs_no_operators_key_and_what_is_not_there_is_not_found(agents: Agents) -> None:
    ours = await put_off(agents, BOT)

    listed = await agents.asked_by(OTHER, "list_deliveries", status="scheduled")

    assert [one["delivery_id"] for one in listed["deliveries"]] == [ours]
    for name, given in (("cancel_bulk", "bulk_id"), ("cancel_delivery", "delivery_id")):
        with pytest.raises(NotFound):
            await agents.asked_by(OTHER, name, **{given: NOBODY})
