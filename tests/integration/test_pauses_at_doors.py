"""A conversation that a person has: a channel's own doors refuse the AI's words and let the person's pass."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from redis.asyncio import Redis
from starlette.applications import Starlette
from starlette.routing import Route

from core.accounts import Account, Accounts
from core.api import api_routes
from core.attempts import Attempts
from core.auth import KeyRing, RequireKey
from core.channel import MediaFile
from core.channel_operations import ChannelOperations
from core.echoes import Echoes
from core.errors import ConversationPaused, VendorDown
from core.ids import DEFAULT_ACCOUNT, AccountId
from core.observability import Metrics
from core.operations_messages import SEEN_AT_ONCE
from core.pauses import Pauses, PauseState
from core.sending import Sender
from core.testing import FakeChannelWithEverything
from tests.contract.whatsapp_side import WhatsAppSide
from tests.integration.chats_fixture import ManualClock
from tests.integration.intake_fixture import KEYS, connect
from tests.integration.post_fixture import CHAT, Killed

AGENT, OPERATOR, HUB = "agent-key-0123456789", "operator-key-0123456789", "service-key-0123456789"
RING = KeyRing.parse(SecretStr(f"agent={AGENT},anna:operator={OPERATOR},orchestrator={HUB}"))
MINUTE = 60_000


class Messenger:
    """A messenger with every part behind REST, and the pauses that its channel knows."""

    def __init__(self, redis: Redis, account: AccountId) -> None:
        self.clock = ManualClock()
        self.channel = FakeChannelWithEverything(clock=self.clock, account=account)
        self.pauses = Pauses(redis, KEYS, self.clock)
        attempts, echoes = Attempts(redis, KEYS, self.clock), Echoes(redis, KEYS)
        self.sender = Sender(self.channel, attempts, echoes, pauses=self.pauses)
        self._version = 0

    @property
    def app(self) -> Starlette:
        accounts = {self.channel.account: Account(self.channel, self.sender)}
        operations = ChannelOperations("Avito", accounts, self.channel.capabilities, self._fetch).all()
        guarded = [
            self.pauses.guarding("avito", one, Accounts(accounts).name) if one.name in SEEN_AT_ONCE else one
            for one in operations
        ]
        routes: list[Route] = api_routes(guarded, Metrics())
        for route in routes:
            route.app = RequireKey(route.app, RING)
        return Starlette(routes=routes)

    async def _fetch(self, url: str, kind: str, name: str) -> MediaFile:
        return MediaFile(b"\xff\xd8\xff", url=url)

    async def pause(self, *, minutes: int | None = 30, version: int = 0, chat: str = CHAT) -> None:
        self._version = version or self._version + 1
        until = None if minutes is None else self.clock.now_ms() + minutes * MINUTE
        await self.pauses.tell(PauseState("avito", self.channel.account, chat, self._version, until))

    async def resume(self, *, version: int = 0) -> None:
        self._version = version or self._version + 1
        await self.pauses.tell(PauseState("avito", self.channel.account, CHAT, self._version, 0))

    async def post(self, path: str, key: str, *, sender: str = "", **body: Any) -> httpx.Response:
        headers = {"X-API-Key": key} | ({"X-Sender": sender} if sender else {})
        transport = httpx.ASGITransport(app=self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://avito") as http:
            return await http.post(f"/api/{path}", json=body, headers=headers)


@asynccontextmanager
async def opened(redis_url: str, account: AccountId = DEFAULT_ACCOUNT) -> AsyncIterator[Messenger]:
    async with connect(redis_url) as redis:
        yield Messenger(redis, account)


@pytest.fixture
async def messenger(redis_url: str) -> AsyncIterator[Messenger]:
    async with opened(redis_url) as made:
        yield made


JPEG = "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAA=="
DOORS: list[tuple[str, dict[str, Any]]] = [
    ("messages/send", {"chat_id": CHAT, "text": "Да"}),
    ("messages/send/image", {"chat_id": CHAT, "image_base64": JPEG}),
    ("messages/send/file", {"chat_id": CHAT, "kind": "document", "file_base64": "JVBERi0xLjcK"}),
    (f"chats/{CHAT}/messages/m1/edit", {"text": "Нет"}),
    (f"chats/{CHAT}/messages/m1/delete", {}),
    (f"chats/{CHAT}/messages/m1/react", {"emoji": "👍"}),
]


@pytest.mark.promise("pause-doors")
@pytest.mark.parametrize(("path", "body"), DOORS)
async def test_every_door_of_a_channel_refuses_the_ai_and_lets_the_person_pass(
    messenger: Messenger, path: str, body: dict[str, Any]
) -> None:
    await messenger.pause()

    refused = await messenger.post(path, AGENT, **body)
    assert (refused.status_code, refused.json()["code"]) == (409, "conversation_paused")
    assert refused.json()["retryable"] is False
    assert "person" in refused.json()["what_to_do"]
    assert (messenger.channel.taken, messenger.channel.asked) == ([], [])

    assert (await messenger.post(path, OPERATOR, **body)).status_code == 200


@pytest.mark.promise("pause-doors")
@pytest.mark.parametrize(("path", "body"), DOORS)
async def test_a_door_knows_the_only_account_when_none_is_named(
    redis_url: str, path: str, body: dict[str, Any]
) -> None:
    """The pause bears the account's own name, the AI's call need not."""
    async with opened(redis_url, AccountId("shop")) as messenger:
        await messenger.pause()

        assert (await messenger.post(path, AGENT, **body)).status_code == 409
        assert (await messenger.post(path, OPERATOR, **body)).status_code == 200


@pytest.mark.promise("pause-doors")
async def test_a_bulk_skips_the_chats_that_a_person_has(messenger: Messenger) -> None:
    await messenger.pause()

    answer = await messenger.post("messages/send/bulk", AGENT, chat_ids=[CHAT, "u2i-2"], text="Скидки")

    errors = [one["error_untrusted"].partition(":")[0] for one in answer.json()["outcomes"]]
    assert errors == ["conversation_paused", ""]
    assert [one.chat_id for one in messenger.channel.taken] == ["u2i-2"]


async def test_a_service_says_for_whom_it_calls_and_an_agent_cannot(messenger: Messenger) -> None:
    await messenger.pause()

    said = {"chat_id": CHAT, "text": "Да"}
    statuses = [
        (await messenger.post("messages/send", key, sender=sender, **said)).status_code
        for key, sender in [
            (HUB, ""),
            (HUB, "agent"),
            (HUB, "operator"),
            (OPERATOR, "agent"),
            (AGENT, "operator"),
            (AGENT, "boss"),
        ]
    ]

    assert statuses == [409, 409, 200, 409, 403, 403]


async def test_a_pause_ends_by_itself_or_by_command_and_old_news_change_nothing(messenger: Messenger) -> None:
    async def refused() -> bool:
        return (await messenger.post("messages/send", AGENT, chat_id=CHAT, text="Да")).status_code == 409

    await messenger.pause(minutes=30)
    messenger.clock.move(30 * MINUTE - 1)
    assert await refused()
    messenger.clock.move(1)
    assert not await refused()

    await messenger.pause(minutes=None)
    messenger.clock.move(10_000 * MINUTE)
    assert await refused()

    await messenger.resume(version=20)
    await messenger.pause(version=19)
    assert not await refused()
    await messenger.pause(version=20)
    assert await refused()


async def test_a_pause_is_of_one_conversation(messenger: Messenger) -> None:
    await messenger.pauses.tell(PauseState("avito", "second", CHAT, 1, None))
    await messenger.pauses.tell(PauseState("vk", "default", CHAT, 1, None))
    await messenger.pause(chat="u2i-2")

    assert (await messenger.post("messages/send", AGENT, chat_id=CHAT, text="Да")).status_code == 200


@pytest.mark.promise("pause-doors")
async def test_a_chat_under_another_of_its_names_is_the_same_conversation(redis_url: str) -> None:
    """WhatsApp takes a bare number and number@c.us for one chat; neither is a way round a pause."""
    async with connect(redis_url) as redis:
        channel = WhatsAppSide().channel
        pauses = Pauses(redis, KEYS, ManualClock(), name_of=channel.name_of_chat)
        await pauses.tell(PauseState("whatsapp", "default", "79001234567", 1, None))

        for written in ("79001234567", "79001234567@c.us"):
            with pytest.raises(ConversationPaused):
                await pauses.refuse("whatsapp", "default", written)
        await pauses.refuse("whatsapp", "default", "79007654321@c.us")


async def test_a_message_that_had_begun_is_finished(messenger: Messenger) -> None:
    """Half a message is worse than a whole one."""
    long = "Слово за словом. " * 100
    messenger.channel.fail(None)
    messenger.channel.fail(VendorDown())
    with pytest.raises(VendorDown):
        await messenger.sender.send_text(CHAT, long, "k")
    assert len(messenger.channel.taken) == 1

    await messenger.pause()
    await messenger.sender.send_text(CHAT, long, "k")

    assert len(messenger.channel.taken) == 2


async def test_a_message_in_doubt_is_looked_up_and_not_sent(messenger: Messenger) -> None:
    """The history tells that the customer has it: sent. It tells that they have not: refused."""
    for key, taken in (("k1", True), ("k2", False)):
        messenger.channel.fail(Killed(), taken=taken)
        with pytest.raises(Killed):
            await messenger.sender.send_text(CHAT, f"Да {key}", key)
    await messenger.pause(minutes=None)
    messenger.clock.move(100 * MINUTE)

    sent = await messenger.sender.send_text(CHAT, "Да k1", "k1")
    with pytest.raises(ConversationPaused):
        await messenger.sender.send_text(CHAT, "Да k2", "k2")

    assert len(sent.message_ids) == 1
    assert [one.text for one in messenger.channel.taken] == ["Да k1"]
