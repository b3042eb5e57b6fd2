"""Our own list of chats, for vendors that have none."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from core.channel import Arrival
from core.errors import NotFound, Rejected, StorageDown
from core.ids import DEFAULT_ACCOUNT, AccountId, ChatId
from core.known_chats import KnownChats
from core.messages import IncomingMessage
from tests.integration.intake_fixture import KEYS, connect

T0 = 1_800_000_000


def wrote(chat: str, text: str, at: int, event: str = "message", name: str | None = None) -> Arrival:
    message = IncomingMessage.model_validate(
        {
            "channel": "max",
            "event": event,
            "external_user_id": f"user-of-{chat}",
            "external_chat_id": chat,
            "external_message_id": f"{chat}-{at}",
            "text": text,
            "timestamp": datetime.fromtimestamp(T0 + at, UTC),
            "client_name": name,
        }
    )
    return Arrival(message, event_key=f"{chat}-{at}")


@asynccontextmanager
async def chats(redis_url: str) -> AsyncIterator[KnownChats]:
    async with connect(redis_url) as redis:
        yield KnownChats(redis, KEYS, "max")


async def test_chats_are_listed_newest_first_with_their_last_words(redis_url: str) -> None:
    async with chats(redis_url) as known:
        await known.note(
            DEFAULT_ACCOUNT, [wrote("1", "первый", 1), wrote("2", "второй", 2), wrote("1", "опять", 3)]
        )
        page = await known.list_chats(DEFAULT_ACCOUNT, 10, "")

    assert [(one.chat_id, one.last_message_untrusted, one.client_user_id) for one in page.chats] == [
        ("1", "опять", "user-of-1"),
        ("2", "второй", "user-of-2"),
    ]
    assert page.next_cursor == ""


async def test_pages_follow_each_other(redis_url: str) -> None:
    async with chats(redis_url) as known:
        await known.note(DEFAULT_ACCOUNT, [wrote(str(n), "x", n) for n in range(5)])
        first = await known.list_chats(DEFAULT_ACCOUNT, 2, "")
        second = await known.list_chats(DEFAULT_ACCOUNT, 2, first.next_cursor)
        third = await known.list_chats(DEFAULT_ACCOUNT, 2, second.next_cursor)

    listed = [one.chat_id for page in (first, second, third) for one in page.chats]
    assert listed == ["4", "3", "2", "1", "0"]
    assert third.next_cursor == ""


async def test_a_late_old_message_does_not_move_a_chat_back(redis_url: str) -> None:
    async with chats(redis_url) as known:
        await known.note(DEFAULT_ACCOUNT, [wrote("1", "new", 9), wrote("2", "other", 5)])
        await known.note(DEFAULT_ACCOUNT, [wrote("1", "old", 1)])
        page = await known.list_chats(DEFAULT_ACCOUNT, 10, "")

    assert [one.chat_id for one in page.chats] == ["1", "2"]
    assert [one.last_message_untrusted for one in page.chats] == ["new", "other"]


async def test_a_name_once_known_stays_known(redis_url: str) -> None:
    async with chats(redis_url) as known:
        await known.note(DEFAULT_ACCOUNT, [wrote("1", "Здравствуйте", 1, name="Ольга")])
        await known.note(DEFAULT_ACCOUNT, [wrote("1", "ещё", 2), wrote("1", "от нас", 3, "operator_message")])
        chat = await known.get_chat(DEFAULT_ACCOUNT, ChatId("1"))

    assert (chat.client_name_untrusted, chat.client_user_id) == ("Ольга", "user-of-1")
    assert chat.last_message_untrusted == "от нас"


@pytest.mark.parametrize("event", ["read", "delivered", "reaction", "notice", "edit", "delete"])
async def test_what_says_nothing_new_lists_no_chat(redis_url: str, event: str) -> None:
    async with chats(redis_url) as known:
        await known.note(DEFAULT_ACCOUNT, [wrote("1", "", 1, event)])

        assert (await known.list_chats(DEFAULT_ACCOUNT, 10, "")).chats == []


async def test_a_chat_that_the_customer_ended_is_forgotten(redis_url: str) -> None:
    async with chats(redis_url) as known:
        await known.note(DEFAULT_ACCOUNT, [wrote("1", "Пока", 1)])
        await known.note(DEFAULT_ACCOUNT, [replace(wrote("1", "", 2, "notice"), ends_chat=True)])

        assert (await known.list_chats(DEFAULT_ACCOUNT, 10, "")).chats == []
        with pytest.raises(NotFound):
            await known.get_chat(DEFAULT_ACCOUNT, ChatId("1"))


async def test_accounts_do_not_see_each_others_chats(redis_url: str) -> None:
    async with chats(redis_url) as known:
        await known.note(DEFAULT_ACCOUNT, [wrote("1", "x", 1)])

        assert (await known.list_chats(AccountId("second"), 10, "")).chats == []


@pytest.mark.parametrize("cursor", ["-1", "next", "9999999", "١"])
async def test_a_cursor_that_is_not_ours_is_refused(redis_url: str, cursor: str) -> None:
    async with chats(redis_url) as known:
        with pytest.raises(Rejected):
            await known.list_chats(DEFAULT_ACCOUNT, 10, cursor)


async def test_chats_that_changed_lately_are_told(redis_url: str) -> None:
    async with chats(redis_url) as known:
        await known.note(DEFAULT_ACCOUNT, [wrote("old", "x", 1), wrote("new", "x", 100)])

        assert await known.lately(DEFAULT_ACCOUNT, (T0 + 50) * 1000) == ["new"]


async def test_without_redis_the_list_says_so() -> None:
    async with chats("redis://127.0.0.1:1/0") as known:
        with pytest.raises(StorageDown):
            await known.list_chats(DEFAULT_ACCOUNT, 10, "")
