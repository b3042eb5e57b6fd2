"""One open case per client, channel and account; listed, shown, closed."""

from collections.abc import AsyncIterator

import pytest

from core.errors import BadCursor
from orchestrator.appeal_changes import close_appeal
from orchestrator.appeals import get_appeal, list_appeals
from orchestrator.batching import ChatContext
from tests.integration.test_resolve_scene import Scene, at, message, scene

DAY = 24 * 3600


@pytest.fixture
async def here(database_url: str) -> AsyncIterator[Scene]:
    async with scene(database_url) as opened:
        yield opened


async def test_the_first_message_opens_a_case_and_the_next_ones_join_it(here: Scene) -> None:
    first = await here.resolve(message("1"))
    here.pass_time(3600)
    second = await here.resolve(message("2", chat="chat-2"))

    assert second.appeal_id == first.appeal_id
    view = await get_appeal(here.pool, first.appeal_id or 0)
    assert view is not None
    assert (view.appeal.external_chat_id, view.appeal.status) == ("chat-2", "open")
    assert (view.appeal.opened_at, view.appeal.updated_at) == (at(60), at(3660))
    assert [one.text for one in view.messages] == ["text of 1", "text of 2"]
    assert view.client.avito_id == "anna"


async def test_a_case_is_of_one_channel_and_one_account(here: Scene) -> None:
    vouched = ChatContext(client_phone="+79161234567")
    resolved = [
        await here.resolve(message("1"), context=vouched),
        await here.resolve(message("1", account="second"), context=vouched),
        await here.resolve(message("1", channel="whatsapp"), context=vouched),
    ]

    assert len({one.client_id for one in resolved}) == 1
    assert len({one.appeal_id for one in resolved}) == 3


async def test_a_message_long_after_the_close_opens_a_new_case(here: Scene) -> None:
    first = await here.resolve(message("1"))
    closed = await close_appeal(here.pool, first.appeal_id or 0, reason="so\x00ld\ud83d", now=here.now)
    closed_at = here.now
    here.pass_time(3 * DAY)
    second = await here.resolve(message("2"))

    assert closed is not None
    assert (closed.status, closed.close_reason, closed.closed_at) == ("resolved", "sold\ufffd", closed_at)
    assert second.appeal_id != first.appeal_id
    assert second.client_id == first.client_id


async def test_closing_twice_keeps_the_first_reason(here: Scene) -> None:
    resolved = await here.resolve(message("1"))
    await close_appeal(here.pool, resolved.appeal_id or 0, reason="sold", now=here.now)
    again = await close_appeal(here.pool, resolved.appeal_id or 0, reason="other", now=at(999))

    assert again is not None
    assert (again.close_reason, again.closed_at) == ("sold", here.now)
    assert await close_appeal(here.pool, 404, reason="", now=here.now) is None
    assert await get_appeal(here.pool, 404) is None


async def test_a_late_operator_message_does_not_reopen_or_open_a_case(here: Scene) -> None:
    first = await here.resolve(message("1"))
    await close_appeal(here.pool, first.appeal_id or 0, reason="done", now=here.now)
    late = await here.resolve(message("2", event="operator_message"))

    assert late.appeal_id is None
    assert await here.value("SELECT count(*) FROM appeals") == 1


async def test_the_ad_comes_from_the_message_or_from_the_chat(here: Scene) -> None:
    context = ChatContext(ad_id="42", ad_title="iPhone 13", ad_price="45 000 ₽", ad_url="https://avito.ru/42")
    resolved = await here.resolve(message("1", meta={"ad_id": 42}), context=context)

    async def ad() -> tuple[str, str, str, str]:
        view = await get_appeal(here.pool, resolved.appeal_id or 0)
        assert view is not None
        return (view.appeal.ad_id, view.appeal.ad_title, view.appeal.ad_price, view.appeal.ad_url)

    assert await ad() == ("42", "iPhone 13", "45 000 ₽", "https://avito.ru/42")
    await here.resolve(message("2"))
    assert await ad() == ("42", "iPhone 13", "45 000 ₽", "https://avito.ru/42")
    await here.resolve(message("3", meta={"ad_id": "43", "ad_title": "Pixel"}))
    assert await ad() == ("43", "Pixel", "", "")


async def test_only_the_last_messages_of_a_long_case_are_shown(here: Scene) -> None:
    resolved = await here.resolve(*(message(str(n), second=n) for n in range(10)))

    view = await get_appeal(here.pool, resolved.appeal_id or 0, last=3)
    assert view is not None
    assert [one.text for one in view.messages] == ["text of 7", "text of 8", "text of 9"]


async def _fifteen_cases(here: Scene) -> list[int]:
    """Latest change first."""
    ids: list[int] = []
    for n in range(15):
        here.pass_time(n % 2)
        channel = "vk" if n % 3 == 0 else "avito"
        resolved = await here.resolve(message("1", chat=f"c{n}", external_user_id=f"u{n}", channel=channel))
        ids.insert(0, resolved.appeal_id or 0)
    return ids


async def test_pages_show_every_case_once_latest_change_first(here: Scene) -> None:
    ids = await _fifteen_cases(here)
    seen: list[int] = []
    cursor = ""
    while True:
        page = await list_appeals(here.pool, limit=4, cursor=cursor)
        seen += [appeal.id for appeal in page.appeals]
        if not (cursor := page.next_cursor):
            break

    assert seen == ids


async def test_a_list_may_be_of_one_status_and_one_channel(here: Scene) -> None:
    ids = await _fifteen_cases(here)
    await close_appeal(here.pool, ids[3], reason="", now=at(10_000))

    resolved = await list_appeals(here.pool, status="resolved")
    of_vk = await list_appeals(here.pool, status="open", channel="vk", limit=100)
    everything = await list_appeals(here.pool, limit=100)

    assert [appeal.id for appeal in resolved.appeals] == [ids[3]]
    assert {appeal.channel for appeal in of_vk.appeals} == {"vk"}
    assert len(of_vk.appeals) == 5
    assert [appeal.id for appeal in everything.appeals] == [ids[3], *ids[:3], *ids[4:]]


@pytest.mark.parametrize(
    "cursor", ["x", "2027|x", "|", "nonsense|1", "2027-01-15T08:00:00+00:00|" + "9" * 30]
)
async def test_a_made_up_cursor_is_refused_by_name(here: Scene, cursor: str) -> None:
    with pytest.raises(BadCursor):
        await list_appeals(here.pool, cursor=cursor)


async def test_an_unknown_status_is_refused_by_name(here: Scene) -> None:
    with pytest.raises(ValueError, match="unknown status 'shut'; known: open, waiting_client"):
        await list_appeals(here.pool, status="shut")
