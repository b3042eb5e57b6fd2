"""getUpdates (contract §2.5)."""

import asyncio

from tests.sandbox.telegram.world import World
from tests.sandbox.world import settle

OTHER = "terminated by other getUpdates request; make sure that only one bot instance is running"
WEBHOOK = "can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"


async def test_updates_wait_until_they_are_confirmed(telegram: World) -> None:
    await telegram.write(text="раз")
    await telegram.write(text="два")

    first = await telegram.updates()
    again = await telegram.updates(offset=first[0]["update_id"] + 1)
    none = await telegram.updates(offset=first[1]["update_id"] + 1)

    assert [update["message"]["text"] for update in first] == ["раз", "два"]
    assert [update["message"]["text"] for update in again] == ["два"]
    assert none == []


async def test_a_negative_offset_keeps_only_the_last(telegram: World) -> None:
    for number in range(5):
        await telegram.write(text=str(number))

    last = await telegram.updates(offset=-2)

    assert [update["message"]["text"] for update in last] == ["3", "4"]
    assert (await telegram.info())["pending_update_count"] == 2


async def test_the_limit_is_one_to_a_hundred(telegram: World) -> None:
    for number in range(3):
        await telegram.write(text=str(number))

    assert len(await telegram.updates(limit=2)) == 2
    await telegram.time.pass_(5)
    assert len(await telegram.updates(limit=1000)) == 3


async def test_a_long_poll_ends_with_the_first_update(telegram: World) -> None:
    poll = asyncio.ensure_future(telegram.updates(timeout=30))
    await telegram.time.pass_(10)
    assert not poll.done()

    await telegram.write(text="ау")
    assert [update["message"]["text"] for update in await poll] == ["ау"]


async def test_a_long_poll_lasts_fifty_seconds_at_most(telegram: World) -> None:
    poll = asyncio.ensure_future(telegram.updates(timeout=600))
    await telegram.time.pass_(49)
    assert not poll.done()

    await telegram.time.pass_(1)
    assert await poll == []


async def test_a_second_poller_ends_the_first(telegram: World) -> None:
    first = asyncio.ensure_future(telegram.refusal("getUpdates", timeout=30))
    await settle()
    second = asyncio.ensure_future(telegram.updates(timeout=30))
    await settle()

    assert await first == (409, f"Conflict: {OTHER}")
    await telegram.write(text="ау")
    assert len(await second) == 1


async def test_polling_beside_a_webhook_is_a_conflict_and_a_late_one_when_repeated(telegram: World) -> None:
    await telegram.subscribe()
    assert await telegram.refusal("getUpdates") == (409, f"Conflict: {WEBHOOK}")

    again = asyncio.ensure_future(telegram.refusal("getUpdates"))
    await telegram.time.pass_(2.9)
    assert not again.done()
    await telegram.time.pass_(0.1)
    assert await again == (409, f"Conflict: {WEBHOOK}")


async def test_a_webhook_set_meanwhile_ends_the_poll(telegram: World) -> None:
    poll = asyncio.ensure_future(telegram.refusal("getUpdates", timeout=10))
    await telegram.subscribe()
    await telegram.time.pass_(10)

    assert (await poll)[0] == 409


async def test_asking_again_too_soon_is_held_and_cut_short(telegram: World) -> None:
    assert await telegram.updates() == []
    held = asyncio.ensure_future(telegram.updates())
    await telegram.time.pass_(2.9)
    assert not held.done()
    await telegram.time.pass_(0.1)
    assert await held == []

    for number in range(3):
        await telegram.write(text=str(number))
    assert len(await telegram.updates()) == 3
    assert len(await telegram.updates()) == 1


async def test_allowed_updates_are_set_by_polling_too(telegram: World) -> None:
    await telegram.updates(allowed_updates=["callback_query"])
    await telegram.write(text="не нужно")

    assert await telegram.updates(offset=1, allowed_updates=[], timeout=0) == []
    await telegram.write(text="нужно")
    assert len(await telegram.updates(offset=2)) == 1


async def test_the_answer_is_cut_at_four_mebibytes(telegram: World) -> None:
    for _ in range(3):
        await telegram.write(text="x" * 2_000_000)

    assert len(await telegram.updates()) == 2


async def test_old_updates_are_gone(telegram: World) -> None:
    await telegram.write(text="ау")
    await telegram.fault(clock_ahead=86_401)

    assert await telegram.updates() == []
