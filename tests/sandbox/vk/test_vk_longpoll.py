import asyncio
from typing import Any

from tests.sandbox.vk.conftest import Open
from tests.sandbox.vk.world import GROUP, VkWorld


async def connect(vk: VkWorld) -> dict[str, Any]:
    found = await vk.api("groups.getLongPollServer", group_id=GROUP)
    return {**found, "act": "a_check", "wait": 25}


async def poll(vk: VkWorld, given: dict[str, Any], **changes: Any) -> dict[str, Any]:
    params = {name: value for name, value in {**given, **changes}.items() if name != "server"}
    return dict((await vk.web.get(given["server"], params=params)).json())


async def test_what_happened_since_is_answered_at_once_and_without_a_secret(vk: VkWorld) -> None:
    await vk.subscribe()
    place = await connect(vk)
    await vk.write(text="раз")
    await vk.write(text="два")

    both, last = await poll(vk, place), await poll(vk, place, ts="1")

    assert (place["ts"], both["ts"], len(both["updates"]), len(last["updates"])) == ("0", "2", 2, 1)
    update, event = both["updates"][0], vk.receiver.events[0]
    assert update == {name: value for name, value in event.items() if name != "secret"}


async def test_a_poll_waits_for_news_and_gives_up_in_time(vk: VkWorld) -> None:
    place = await connect(vk)
    waiting = asyncio.ensure_future(poll(vk, place))
    await vk.time.pass_(10)
    assert not waiting.done()
    await vk.write(text="раз")
    assert [u["type"] for u in (await waiting)["updates"]] == ["message_new"]

    idle = asyncio.ensure_future(poll(vk, place, ts="1"))
    await vk.time.pass_(25)
    assert await idle == {"ts": "1", "updates": []}


async def test_stale_keys_and_numbers_are_told_apart(vk: VkWorld) -> None:
    place = await connect(vk)
    assert await poll(vk, place, key="x") == {"failed": 2}
    for ts in ("9", "x", ""):
        assert await poll(vk, place, ts=ts) == {"failed": 1, "ts": 0}

    await vk.time.pass_(3600)
    assert await poll(vk, place) == {"failed": 2}


async def test_the_long_poll_can_be_off(open_vk: Open) -> None:
    async with open_vk(long_poll=False) as vk:
        assert (await vk.error("groups.getLongPollServer", group_id=GROUP))[0] == 100


async def test_it_is_asked_by_get_or_by_post_as_sdks_do(vk: VkWorld) -> None:
    place = await connect(vk)
    await vk.write(text="раз")

    params = {name: value for name, value in place.items() if name != "server"}
    answer = await vk.web.post(place["server"], params=params)

    assert answer.json() == await poll(vk, place)
