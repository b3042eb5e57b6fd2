"""What a channel says that it can do: asked rarely, and what it lacks is neither asked for nor sent."""

import asyncio
from typing import Any

import httpx
import pytest

from core.errors import ChannelError, NotFound, Rejected, VendorDown
from core.messages import OutgoingMessage
from orchestrator.channels import Channels
from orchestrator.fitting import Fitting
from orchestrator.manifests import REMEMBER_SECONDS, Manifest, Manifests, manifest_of
from orchestrator.recent import Recent
from tests.integration.chats_fixture import SECOND, ManualClock
from tests.integration.test_deliver import FakeChannels

INFO = {
    "capabilities": {"parts": ["SendsReplies", "KnowsProfiles"], "reply_window_seconds": 86_400},
    "accounts": {"shop": {"vendor_up": True}, "default": {"vendor_up": False}},
}


class FakeServers:
    """Servers that tell themselves; `info` an error: they are away."""

    def __init__(self, info: Any = INFO) -> None:
        self.info_told = info
        self.asked: list[str] = []

    async def info(self, channel: str) -> dict[str, Any]:
        self.asked.append(channel)
        if isinstance(self.info_told, ChannelError):
            raise self.info_told
        return dict(self.info_told)


def outgoing(**more: Any) -> OutgoingMessage:
    given = {"channel": "avito", "external_chat_id": "c1", "text": "Да", **more}
    return OutgoingMessage.model_validate(given)


def test_an_info_is_read_with_the_default_account_first() -> None:
    manifest = manifest_of(INFO)

    assert manifest == Manifest(
        parts=frozenset({"SendsReplies", "KnowsProfiles"}),
        accounts=("default", "shop"),
        reply_window_seconds=86_400,
    )
    assert manifest.has("OpensChats", "KnowsProfiles")
    assert not manifest.has("OpensChats")


async def test_a_channel_is_asked_once_in_a_while() -> None:
    servers, clock = FakeServers(), ManualClock()
    manifests = Manifests(servers, clock)

    await asyncio.gather(*(manifests.of(channel) for channel in ("avito", "vk") * 5))
    assert sorted(servers.asked) == ["avito", "vk"]

    clock.move(round(REMEMBER_SECONDS * SECOND))
    await manifests.of("avito")
    assert len(servers.asked) == 3


async def test_while_a_server_is_away_its_last_word_stands() -> None:
    servers, clock = FakeServers(), ManualClock()
    manifests = Manifests(servers, clock)
    known = await manifests.of("avito")
    servers.info_told = VendorDown()
    clock.move(round(REMEMBER_SECONDS * SECOND))

    assert [await manifests.of("avito") for _ in range(3)] == [known] * 3
    assert len(servers.asked) == 2


@pytest.mark.parametrize(
    "told", [VendorDown(), {}, {"capabilities": None}, {"capabilities": {"parts": 5}}, {"capabilities": []}]
)
async def test_who_has_told_nothing_readable_is_unknown_and_asked_again_soon(told: Any) -> None:
    servers, clock = FakeServers(told), ManualClock()
    manifests = Manifests(servers, clock)

    assert [await manifests.of("avito") for _ in range(3)] == [None] * 3
    assert len(servers.asked) == 1
    servers.info_told = INFO
    clock.move(10 * SECOND)
    assert await manifests.of("avito") == manifest_of(INFO)


# --- what is sent fits ------------------------------------------------------------------------------------


class Told:
    """Every channel has this manifest."""

    def __init__(self, manifest: Manifest | None) -> None:
        self.manifest = manifest

    async def of(self, channel: str) -> Manifest | None:
        return self.manifest


async def sent(message: OutgoingMessage, *parts: str) -> OutgoingMessage:
    channels = FakeChannels()
    await Fitting(channels, Told(Manifest(parts=frozenset(parts)))).send(message)
    [one] = channels.taken
    return one


async def test_a_quote_is_left_out_where_none_can_be_shown() -> None:
    message = outgoing(reply_to="m0", buttons=["Да"])

    assert (await sent(message, "SendsReplies")) == message
    assert (await sent(message, "SendsImages")) == message.model_copy(update={"reply_to": None})


@pytest.mark.parametrize(
    ("more", "part"),
    [
        ({"image_url": "https://i"}, "SendsImages"),
        ({"file_url": "https://f", "file_kind": "voice"}, "SendsVoice"),
        ({"file_url": "https://f", "file_kind": "video"}, "SendsVideos"),
        ({"file_url": "https://f", "file_kind": "document"}, "SendsDocuments"),
    ],
)
async def test_media_that_a_channel_cannot_send_is_refused_at_once(more: dict[str, str], part: str) -> None:
    assert (await sent(outgoing(**more), part)) is not None
    with pytest.raises(Rejected, match="avito carries no"):
        await sent(outgoing(**more), "SendsReplies")


@pytest.mark.parametrize("more", [{"reply_to": "m0"}, {"file_url": "https://f", "file_kind": "voice"}])
async def test_what_depends_on_an_unknown_channel_waits(more: dict[str, str]) -> None:
    channels = FakeChannels()

    with pytest.raises(VendorDown):
        await Fitting(channels, Told(None)).send(outgoing(**more))
    assert channels.asked == []


async def test_a_channel_that_is_not_served_is_told_at_once() -> None:
    """Waiting for a server that nobody starts would hold the chat for an hour."""
    async with httpx.AsyncClient() as http:
        channels = Channels({}, http)
        with pytest.raises(NotFound, match="No channel server for 'avito'"):
            await Fitting(channels, Manifests(channels, ManualClock())).send(outgoing(reply_to="m0"))


async def test_a_plain_text_asks_nobody() -> None:
    channels = FakeChannels()

    await Fitting(channels, Told(None)).send(outgoing(buttons=["Да"]))

    assert channels.texts == ["Да"]


# --- what is remembered -----------------------------------------------------------------------------------


def test_the_oldest_answers_go_when_there_are_too_many() -> None:
    recent: Recent[int, int] = Recent(ManualClock(), seconds=60)
    for number in range(10_001):
        recent.keep(number, number)

    assert (recent.get(0), recent.stale(0), recent.get(1), recent.get(10_000)) == (None, None, 1, 10_000)
