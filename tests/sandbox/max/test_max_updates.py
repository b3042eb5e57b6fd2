import asyncio
from typing import Any

import pytest

from tests.sandbox.max.conftest import Opens
from tests.sandbox.max.world import MaxWorld, shown

DAY = 24 * 3600


async def poll(world: MaxWorld, **params: Any) -> dict[str, Any]:
    answer = await world.api("GET", "/updates", params={"timeout": 0, **params})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def texts(answer: dict[str, Any]) -> list[str]:
    return [update["message"]["body"]["text"] for update in answer["updates"]]


async def test_the_marker_leads_from_event_to_event_and_commits(max_: MaxWorld) -> None:
    start = (await poll(max_))["marker"]
    for text in ("раз", "два", "три"):
        await max_.write(text=text)

    first = await poll(max_, marker=start, limit=2)
    again = await poll(max_, marker=start, limit=2)
    second = await poll(max_, marker=first["marker"])
    committed = await poll(max_, marker=start)

    assert (texts(first), texts(again), texts(second)) == (["раз", "два"], ["раз", "два"], ["три"])
    assert texts(committed) == ["три"]
    assert await poll(max_, marker=second["marker"]) == {"updates": [], "marker": second["marker"]}


async def test_without_a_marker_only_the_latest_is_shown_or_by_setting_all(open_max: Opens) -> None:
    for way, expected in (("latest", ["два"]), ("uncommitted", ["раз", "два"])):
        async with open_max(without_marker=way) as world:
            await world.write(text="раз")
            await world.write(text="два")
            assert texts(await poll(world)) == expected


async def test_types_are_chosen(max_: MaxWorld) -> None:
    await max_.act("bot_started")
    await max_.write(text="раз")
    answer = await poll(max_, marker=0, types="bot_started,message_edited")
    assert [u["update_type"] for u in answer["updates"]] == ["bot_started"]


async def test_a_poll_waits_for_news(max_: MaxWorld) -> None:
    call = asyncio.ensure_future(max_.hasty("GET", "/updates", params={"timeout": 20}))
    await max_.time.pass_(10)
    assert not call.done()

    await max_.write(text="раз")
    assert texts((await call).json()) == ["раз"]


async def test_a_poll_ends_after_its_time_and_after_30_seconds_at_most(max_: MaxWorld) -> None:
    call = asyncio.ensure_future(max_.hasty("GET", "/updates", params={"timeout": 90}))
    await max_.time.pass_(29)
    assert not call.done()

    await max_.time.pass_(1)
    assert (await call).json()["updates"] == []


async def test_an_answer_has_at_most_100_events(max_: MaxWorld) -> None:
    for _ in range(101):
        await max_.act("bot_started")
    assert len((await poll(max_, marker=0, limit=1000))["updates"]) == 100


async def test_events_live_for_a_day(max_: MaxWorld) -> None:
    await max_.write(text="раз")
    await max_.time.pass_(DAY)
    assert texts(await poll(max_, marker=0)) == []


async def test_with_a_subscription_polling_is_mute(max_: MaxWorld) -> None:
    await max_.subscribe()
    await max_.write(text="раз")
    assert await poll(max_, marker=0) == {"updates": []}


async def test_two_polls_a_second_are_enough(max_: MaxWorld) -> None:
    answers = [await max_.hasty("GET", "/updates", params={"timeout": 0}) for _ in range(3)]
    assert [a.status_code for a in answers] == [200, 200, 429]


@pytest.mark.parametrize(
    "params", [{"limit": 0}, {"limit": 1001}, {"timeout": 91}, {"timeout": -1}, {"marker": "x"}]
)
async def test_wrong_numbers_are_400(max_: MaxWorld, params: dict[str, Any]) -> None:
    assert shown(await max_.api("GET", "/updates", params=params)) == (400, "proto.payload")
