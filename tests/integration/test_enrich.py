"""Facts for a turn: asked once, bounded in time, and never the reason why a customer waits."""

import asyncio
from typing import Any

import pytest

from core.channel import ChatInfo, MediaLink
from core.errors import ChannelError, OutcomeUnknown, VendorDown
from core.messages import IncomingMessage
from orchestrator.batching import ChatContext
from orchestrator.enrich import Enricher
from tests.integration.test_resolve_scene import message

CHAT = ChatInfo(
    chat_id="chat-1",
    client_name_untrusted="Анна",
    ad_id="9",
    ad_title="iPhone 12",
    ad_price="20 000 ₽",
    ad_url="https://avito.ru/9",
)
CONTEXT = ChatContext("Анна", "9", "iPhone 12", "20 000 ₽", "https://avito.ru/9")


class FakeFacts:
    """Channels that know everything at once, unless told to fail or to be silent."""

    def __init__(self) -> None:
        self.names = frozenset({"avito"})
        self.asked: list[tuple[str, str, str]] = []
        self.errors: dict[str, ChannelError] = {}
        self.silent: set[str] = set()

    async def chat(self, channel: str, account: str, chat_id: str) -> ChatInfo:
        await self._answer("chat", channel, account, chat_id)
        return CHAT

    async def media_link(self, channel: str, account: str, file_id: str) -> MediaLink:
        await self._answer(file_id, channel, account, file_id)
        return MediaLink(url=f"https://voice/{file_id}", expires_in=3600)

    async def _answer(self, what: str, *asked: str) -> None:
        self.asked.append(asked)  # type: ignore[arg-type]  # three of them
        if what in self.silent:
            await asyncio.Event().wait()
        if what in self.errors:
            raise self.errors[what]


def voice(number: str, **media: Any) -> IncomingMessage:
    return message(number, " ", media={"has_voice": True, "voice_file_id": f"file-{number}", **media})


def urls(messages: list[IncomingMessage]) -> list[str | None]:
    return [one.media.voice_url for one in messages]


async def test_the_chat_is_asked_once_and_each_voice_note_for_its_link() -> None:
    facts = FakeFacts()
    given = [message("1"), voice("2"), voice("3")]

    linked, context = await Enricher(facts, seconds=5).enrich(given)

    assert context == CONTEXT
    assert urls(linked) == [None, "https://voice/file-2", "https://voice/file-3"]
    assert [one.external_message_id for one in linked] == ["1", "2", "3"]
    assert sorted(facts.asked) == [
        ("avito", "default", "chat-1"),
        ("avito", "default", "file-2"),
        ("avito", "default", "file-3"),
    ]


async def test_a_link_that_is_there_is_not_asked_for() -> None:
    facts = FakeFacts()

    linked, _ = await Enricher(facts, seconds=5).enrich([voice("1", voice_url="https://own")])

    assert urls(linked) == ["https://own"]
    assert len(facts.asked) == 1


async def test_only_the_link_changes() -> None:
    given = voice("1", voice_seconds=3.5)

    [linked], _ = await Enricher(FakeFacts(), seconds=5).enrich([given])

    assert linked.media.model_dump(exclude={"voice_url"}) == given.media.model_dump(exclude={"voice_url"})
    assert linked.model_dump(exclude={"media"}) == given.model_dump(exclude={"media"})


async def test_a_channel_without_a_server_is_asked_nothing() -> None:
    facts = FakeFacts()
    given = [message("1", channel="form"), message("2", channel="form")]

    assert await Enricher(facts, seconds=5).enrich(given) == (given, None)
    assert facts.asked == []


@pytest.mark.parametrize("error", [VendorDown(), OutcomeUnknown(), ChannelError("odd")])
async def test_a_fact_that_fails_costs_only_itself(error: ChannelError) -> None:
    facts = FakeFacts()
    facts.errors = {"chat": error, "file-1": error}

    linked, context = await Enricher(facts, seconds=5).enrich([voice("1"), voice("2")])

    assert context is None
    assert urls(linked) == [None, "https://voice/file-2"]


async def test_silence_is_waited_for_together_and_not_for_long() -> None:
    """Three silent answers take as long as one."""
    facts = FakeFacts()
    facts.silent = {"chat", "file-1", "file-2"}
    started = asyncio.get_running_loop().time()

    linked, context = await Enricher(facts, seconds=0.2).enrich([voice("1"), voice("2"), voice("3")])

    assert asyncio.get_running_loop().time() - started < 0.4
    assert context is None
    assert urls(linked) == [None, None, "https://voice/file-3"]
