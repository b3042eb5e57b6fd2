"""Facts for a turn: asked once, bounded in time, and never the reason why a customer waits."""

import asyncio
from typing import Any

import pytest

from core.channel import ChatInfo, MediaLink, Profile
from core.errors import ChannelError, OutcomeUnknown, VendorDown
from core.messages import IncomingMessage
from orchestrator.batching import ChatContext
from orchestrator.enrich import AT_ONCE, Enricher
from orchestrator.manifests import Manifest
from tests.integration.test_resolve_scene import message, scene

CHAT = ChatInfo(
    chat_id="chat-1",
    client_name_untrusted="Анна",
    ad_id="9",
    ad_title_untrusted="iPhone 12",
    ad_price_untrusted="20 000 ₽",
    ad_url_untrusted="https://avito.ru/9",
)
CONTEXT = ChatContext(
    client_name="Анна",
    ad_id="9",
    ad_title="iPhone 12",
    ad_price="20 000 ₽",
    ad_url="https://avito.ru/9",
)
ALL = frozenset({"ShowsChats", "ResolvesMedia", "KnowsProfiles"})


class FakeFacts:
    """Channels that know everything at once, unless told to fail or to be silent."""

    def __init__(self) -> None:
        self.names = frozenset({"avito"})
        self.asked: list[tuple[str, str, str]] = []
        self.errors: dict[str, ChannelError] = {}
        self.silent: set[str] = set()
        self.manifest: Manifest | None = Manifest(parts=ALL)
        self.told = CHAT
        self.known = Profile(user_id="anna", name_untrusted="Анна Ким", phone="+79001234567")
        self.at_once = self.most_at_once = 0

    async def of(self, channel: str) -> Manifest | None:
        if "manifest" in self.silent:
            await asyncio.Event().wait()
        return self.manifest

    async def chat(self, channel: str, account: str, chat_id: str) -> ChatInfo:
        await self._answer("chat", channel, account, chat_id)
        return self.told

    async def profile(self, channel: str, account: str, user_id: str) -> Profile:
        await self._answer("profile", channel, account, user_id)
        return self.known

    async def media_link(self, channel: str, account: str, file_id: str) -> MediaLink:
        await self._answer(file_id, channel, account, file_id)
        return MediaLink(url=f"https://voice/{file_id}", expires_in=3600)

    async def _answer(self, what: str, *asked: str) -> None:
        self.asked.append(asked)  # type: ignore[arg-type]  # three of them
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
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

    linked, context = await Enricher(facts, facts, seconds=5).enrich(given)

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

    linked, _ = await Enricher(facts, facts, seconds=5).enrich([voice("1", voice_url="https://own")])

    assert urls(linked) == ["https://own"]
    assert len(facts.asked) == 1


async def test_only_the_link_changes() -> None:
    given = voice("1", voice_seconds=3.5)

    facts = FakeFacts()

    [linked], _ = await Enricher(facts, facts, seconds=5).enrich([given])

    assert linked.media.model_dump(exclude={"voice_url"}) == given.media.model_dump(exclude={"voice_url"})
    assert linked.model_dump(exclude={"media"}) == given.model_dump(exclude={"media"})


async def test_a_channel_without_a_server_is_asked_nothing() -> None:
    facts = FakeFacts()
    given = [message("1", channel="form"), message("2", channel="form")]

    assert await Enricher(facts, facts, seconds=5).enrich(given) == (given, None)
    assert facts.asked == []


@pytest.mark.parametrize("error", [VendorDown(), OutcomeUnknown(), ChannelError("odd")])
async def test_a_fact_that_fails_costs_only_itself(error: ChannelError) -> None:
    facts = FakeFacts()
    facts.errors = {"chat": error, "file-1": error, "profile": error}

    linked, context = await Enricher(facts, facts, seconds=5).enrich([voice("1"), voice("2")])

    assert context is None
    assert urls(linked) == [None, "https://voice/file-2"]


async def test_silence_is_waited_for_together_and_not_for_long() -> None:
    """Three silent answers take as long as one."""
    facts = FakeFacts()
    facts.silent = {"chat", "file-1", "file-2"}
    started = asyncio.get_running_loop().time()

    linked, context = await Enricher(facts, facts, seconds=0.2).enrich([voice("1"), voice("2"), voice("3")])

    assert asyncio.get_running_loop().time() - started < 0.4
    assert context is None
    assert urls(linked) == [None, None, "https://voice/file-3"]


# --- names, files and what a channel lacks ----------------------------------------------------------------


async def test_every_file_without_a_link_gets_one() -> None:
    facts = FakeFacts()
    media = {
        "has_images": True,
        "images": [{"file_id": "p1", "caption": "экран"}, {"url": "https://own", "file_id": "p2"}, {}],
        "has_video": True,
        "videos": [{"file_id": "v1", "name": "a.mp4"}],
        "has_document": True,
        "documents": [{"file_id": "d1", "kind": "sticker"}, {"file_id": "p1"}],
    }

    [linked], _ = await Enricher(facts, facts, seconds=5).enrich([message("1", media=media)])

    assert [one.url for one in linked.media.images] == ["https://voice/p1", "https://own", None]
    assert [(one.url, one.name) for one in linked.media.videos] == [("https://voice/v1", "a.mp4")]
    assert [(one.url, one.kind) for one in linked.media.documents] == [
        ("https://voice/d1", "sticker"),
        ("https://voice/p1", None),
    ]
    assert linked.media.images[0].caption == "экран"
    assert sorted(asked for _, _, asked in facts.asked if asked != "chat-1") == ["d1", "p1", "v1"]


async def test_a_large_album_is_asked_for_a_few_at_once() -> None:
    facts = FakeFacts()
    images = [{"file_id": f"p{number}"} for number in range(50)]

    [linked], _ = await Enricher(facts, facts, seconds=5).enrich(
        [message("1", media={"has_images": True, "images": images})]
    )

    assert all(one.url for one in linked.media.images)
    assert facts.most_at_once == AT_ONCE


async def test_a_name_that_nobody_told_is_asked_of_the_vendor() -> None:
    facts = FakeFacts()
    facts.told = CHAT.model_copy(update={"client_name_untrusted": ""})

    _, context = await Enricher(facts, facts, seconds=5).enrich([message("1", event="read"), message("2")])

    assert context is not None
    assert (context.client_name, context.client_phone, context.ad_title) == (
        "Анна Ким",
        "+79001234567",
        "iPhone 12",
    )
    assert facts.asked[-1] == ("avito", "default", "anna")


@pytest.mark.parametrize("more", [{"client_name": "Аня"}, {"event": "operator_message"}, {"event": "read"}])
async def test_nobody_is_asked_for_a_name_that_is_known_or_is_no_customers(more: dict[str, Any]) -> None:
    facts = FakeFacts()
    facts.told = CHAT.model_copy(update={"client_name_untrusted": ""})

    await Enricher(facts, facts, seconds=5).enrich([message("1", **more)])

    assert facts.asked == [("avito", "default", "chat-1")]


async def test_a_user_without_a_name_is_called_by_their_handle() -> None:
    facts = FakeFacts()
    facts.errors = {"chat": VendorDown()}
    facts.known = Profile(user_id="anna", username_untrusted="anna_kim")

    _, context = await Enricher(facts, facts, seconds=5).enrich([message("1")])

    assert context == ChatContext(client_name="anna_kim", client_username="anna_kim")


@pytest.mark.parametrize("parts", [frozenset(), frozenset({"SendsImages"}), None])
async def test_a_channel_is_never_asked_for_what_it_lacks(parts: frozenset[str] | None) -> None:
    facts = FakeFacts()
    facts.manifest = None if parts is None else Manifest(parts=parts)
    given = [message("1"), voice("2")]

    assert await Enricher(facts, facts, seconds=5).enrich(given) == (given, None)
    assert facts.asked == []


async def test_a_channel_that_does_not_tell_what_it_can_costs_its_facts_only() -> None:
    facts = FakeFacts()
    facts.silent = {"manifest"}
    given = [voice("1")]

    assert await Enricher(facts, facts, seconds=0.05).enrich(given) == (given, None)


async def test_a_phone_that_the_vendor_vouches_for_joins_the_client_of_a_form(database_url: str) -> None:
    phone = "+79001234567"
    async with scene(database_url) as here:
        form = await here.resolve(
            message("f", channel="form", chat=phone, external_user_id=phone, client_phone=phone)
        )
        wrote = await here.resolve(message("1"), context=ChatContext("Анна", phone))
        odd = await here.resolve(
            message("2", chat="c2", external_user_id="boris"), context=ChatContext("Борис", "8 900")
        )

    assert wrote.client_id == form.client_id
    assert odd.client_id != form.client_id
