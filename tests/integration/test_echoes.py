"""Our own messages come back through the webhook: dropped once each; what a person typed is kept."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from redis.asyncio import Redis

from core.echoes import PENDING_SECONDS, Echoes, fingerprint
from core.errors import OutcomeUnknown, StorageDown, VendorDown
from core.ids import ChatId, MessageId
from core.inbox import Inbox
from core.testing import FakeChannel
from tests.integration.intake_fixture import KEYS, connect, open_inbox

CHANNEL = FakeChannel()
CHAT = ChatId("c")


class Desk:
    """An inbox and the echoes beside it."""

    def __init__(self, redis: Redis, inbox: Inbox) -> None:
        self.redis = redis
        self.echoes = Echoes(redis, KEYS)
        self._inbox = inbox

    async def pushed_back(self, message_id: str, text: str, mark: str = "") -> str:
        arrival = CHANNEL.arrival(message_id, CHAT, text, own=True)
        [outcome] = await self._inbox.put([replace(arrival, fingerprint=mark or arrival.fingerprint)])
        return outcome

    async def texts(self) -> list[str]:
        rows = await self.redis.lrange(KEYS.incoming.source, 0, -1)
        return [json.loads(row)["text"] for row in rows]

    async def pending(self) -> object:
        return await self.redis.hgetall(KEYS.sending("avito", "default", CHAT))


@asynccontextmanager
async def desk(redis_url: str, folder: Path) -> AsyncIterator[Desk]:
    async with open_inbox(redis_url, folder) as inbox, connect(redis_url) as redis:
        yield Desk(redis, inbox)


@pytest.mark.promise("echo")
async def test_an_echo_after_the_answer_is_known_by_its_id(redis_url: str, tmp_path: Path) -> None:
    async with desk(redis_url, tmp_path) as here:
        async with here.echoes.expecting(CHANNEL, CHAT, fingerprint("Да")) as expected:
            await expected.sent(MessageId("m1"))

        assert await here.pushed_back("m1", "Да") == "echo"
        assert await here.pushed_back("m1", "Да") == "repeated"
        assert await here.pushed_back("typed", "Да") == "queued"
        assert await here.pending() == {}


async def test_an_echo_before_the_answer_is_known_by_its_words(redis_url: str, tmp_path: Path) -> None:
    async with desk(redis_url, tmp_path) as here:
        async with here.echoes.expecting(CHANNEL, CHAT, fingerprint("Да, завтра")) as expected:
            assert await here.pushed_back("m1", " Да,\n завтра ") == "echo"
            assert await here.pushed_back("typed", "Да, завтра") == "queued"
            await expected.sent(MessageId("m1"))

        assert await here.pending() == {}


async def test_one_early_echo_does_not_use_up_two_sends(redis_url: str, tmp_path: Path) -> None:
    """The same words twice at once: each send has exactly one echo, whichever comes first."""
    mark = fingerprint("Да")
    async with desk(redis_url, tmp_path) as here:
        async with here.echoes.expecting(CHANNEL, CHAT, mark) as second:
            async with here.echoes.expecting(CHANNEL, CHAT, mark) as first:
                assert await here.pushed_back("m1", "Да") == "echo"
                await first.sent(MessageId("m1"))
            assert await here.pushed_back("m2", "Да") == "echo"
            await second.sent(MessageId("m2"))

        assert await here.pushed_back("typed", "Да") == "queued"
        assert await here.pending() == {}


async def test_a_send_that_failed_expects_nothing(redis_url: str, tmp_path: Path) -> None:
    async with desk(redis_url, tmp_path) as here:
        with pytest.raises(VendorDown):
            async with here.echoes.expecting(CHANNEL, CHAT, fingerprint("Да")):
                raise VendorDown

        assert await here.pushed_back("typed", "Да") == "queued"


async def test_a_send_of_unknown_outcome_still_expects_its_echo(redis_url: str, tmp_path: Path) -> None:
    async with desk(redis_url, tmp_path) as here:
        with pytest.raises(OutcomeUnknown):
            async with here.echoes.expecting(CHANNEL, CHAT, fingerprint("Да")):
                raise OutcomeUnknown

        time_left = await here.redis.ttl(KEYS.sending("avito", "default", CHAT))
        assert PENDING_SECONDS - 5 < time_left <= PENDING_SECONDS
        assert await here.pushed_back("m1", "Да") == "echo"
        assert await here.redis.ttl(KEYS.sending("avito", "default", CHAT)) > 0
        assert await here.pushed_back("typed", "Да") == "queued"


async def test_a_refused_repeat_of_an_unknown_send_still_expects_the_echo_of_the_first(
    redis_url: str, tmp_path: Path
) -> None:
    """The vendor recognises repeats, refuses this one for its rate, and has the first all the same."""
    async with desk(redis_url, tmp_path) as here:
        for again, error in ((False, OutcomeUnknown), (True, VendorDown)):
            with pytest.raises(error):
                async with here.echoes.expecting(CHANNEL, CHAT, fingerprint("Да"), by="k#0", again=again):
                    raise error

        assert await here.pushed_back("m1", "Да") == "echo"
        assert await here.pushed_back("typed", "Да") == "queued"


async def test_a_repeated_send_expects_one_echo(redis_url: str, tmp_path: Path) -> None:
    async with desk(redis_url, tmp_path) as here:
        with pytest.raises(OutcomeUnknown):
            async with here.echoes.expecting(CHANNEL, CHAT, fingerprint("Да"), by="k#0"):
                raise OutcomeUnknown
        async with here.echoes.expecting(CHANNEL, CHAT, fingerprint("Да"), by="k#0", again=True) as expected:
            assert await here.pushed_back("m1", "Да") == "echo"
            assert await here.pushed_back("typed", "Да") == "queued"
            await expected.sent(MessageId("m1"))

        assert await here.pending() == {}


# --- pictures and files: nothing to compare ---------------------------------------------------------------


@pytest.mark.parametrize("kind", ["image", "voice", "video", "document"])
async def test_an_operators_file_during_our_upload_is_queued_when_our_own_id_is_known(
    redis_url: str, tmp_path: Path, kind: str
) -> None:
    async with desk(redis_url, tmp_path) as here:
        async with here.echoes.expecting(CHANNEL, CHAT, kind) as expected:
            assert await here.pushed_back("operators", "a photo of it", kind) == "echo"
            assert await here.texts() == []
            await expected.sent(MessageId("ours"))

        assert await here.texts() == ["a photo of it"]
        assert await here.pushed_back("ours", "", kind) == "echo"
        assert await here.pushed_back("operators", "a photo of it", kind) == "repeated"
        assert await here.texts() == ["a photo of it"]
        assert await here.pending() == {}


async def test_our_own_early_echo_of_a_file_is_never_queued(redis_url: str, tmp_path: Path) -> None:
    async with desk(redis_url, tmp_path) as here:
        async with here.echoes.expecting(CHANNEL, CHAT, "image") as expected:
            assert await here.pushed_back("ours", "", "image") == "echo"
            await expected.sent(MessageId("ours"))

        assert await here.texts() == []
        assert await here.pending() == {}


async def test_of_two_uploads_neither_echo_is_taken_for_an_operators(redis_url: str, tmp_path: Path) -> None:
    async with desk(redis_url, tmp_path) as here:
        async with here.echoes.expecting(CHANNEL, CHAT, "image") as second:
            async with here.echoes.expecting(CHANNEL, CHAT, "image") as first:
                assert await here.pushed_back("m2", "", "image") == "echo"
                await first.sent(MessageId("m1"))
            assert await here.pushed_back("m1", "", "image") == "echo"
            await second.sent(MessageId("m2"))

        assert await here.texts() == []
        assert await here.pending() == {}


async def test_an_operators_file_during_a_refused_upload_is_queued(redis_url: str, tmp_path: Path) -> None:
    async with desk(redis_url, tmp_path) as here:

        async def refused() -> None:
            async with here.echoes.expecting(CHANNEL, CHAT, "image"):
                await here.pushed_back("operators", "a photo of it", "image")
                raise VendorDown

        with pytest.raises(VendorDown):
            await refused()

        assert await here.texts() == ["a photo of it"]


async def test_a_file_of_another_kind_is_no_echo(redis_url: str, tmp_path: Path) -> None:
    async with desk(redis_url, tmp_path) as here, here.echoes.expecting(CHANNEL, CHAT, "image"):
        assert await here.pushed_back("operators", "a note", "voice") == "queued"


async def test_the_same_words_under_another_id_stay_an_echo(redis_url: str, tmp_path: Path) -> None:
    """Words can be compared: what was said is known, whoever of us said it."""
    async with desk(redis_url, tmp_path) as here:
        async with here.echoes.expecting(CHANNEL, CHAT, fingerprint("Да")) as expected:
            assert await here.pushed_back("other id", "Да") == "echo"
            await expected.sent(MessageId("m1"))

        assert await here.texts() == []
        assert await here.pending() == {}


async def test_the_sender_of_a_message_is_remembered(redis_url: str) -> None:
    async with connect(redis_url) as redis:
        echoes = Echoes(redis, KEYS)
        await echoes.remember(CHANNEL, MessageId("m1"), by="key#0")

        assert await echoes.senders_of(CHANNEL, [MessageId("m1"), MessageId("m2")]) == ["key#0", ""]
        assert await echoes.senders_of(CHANNEL, []) == []


async def test_without_redis_the_vendor_is_not_called() -> None:
    async with connect("redis://127.0.0.1:1/0") as redis:
        with pytest.raises(StorageDown):
            async with Echoes(redis, KEYS).expecting(CHANNEL, CHAT, "mark"):
                pytest.fail("inside without a registered mark")
