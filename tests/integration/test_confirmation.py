"""What a guarded key may not do without a yes: asked for in the call, or by a token, over real clients."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from itertools import cycle
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import ElicitResult, TextContent
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.types import Message, Receive, Scope, Send

from core.app import build_app, build_server
from core.auth import Caller, current_caller
from core.channel import ChatMessage, MessagePage
from core.channel_service import ChannelService
from core.ids import DEFAULT_ACCOUNT, ChatId
from core.registry import service
from core.settings import ServiceSettings
from core.testing import FakeChannelWithEverything
from core.tools import ERROR_META
from core.vendor_settings import VendorSettings

AGENT, ANNA = "agent-key-0123456789", "operator-key-0123456789"
KEYS = f"bot={AGENT},anna:operator={ANNA},reader:agent:read_only=reader-key-0123456789"
SERVICE = ",orchestrator=service-key-0123456789"
WROTE, STRANGER = "customer-7", "stranger-1"
URL = "http://127.0.0.1:8765"


class Messenger(FakeChannelWithEverything):
    """In the chat WROTE a customer has written."""

    async def list_messages(self, chat_id: ChatId, limit: int, cursor: str) -> MessagePage:
        page = await super().list_messages(chat_id, limit, cursor)
        said = ChatMessage(message_id="m0", direction="in", type="text", sent_at="2027-01-15T08:00:00Z")
        return page.model_copy(update={"messages": [*page.messages, *([said] * (chat_id == WROTE))]})

    async def aclose(self) -> None:
        """Nothing is open."""


class House:
    """Two replicas of a channel on one Redis and one messenger, behind a balancer that takes turns."""

    def __init__(self, redis_url: str, folder: Path) -> None:
        self.messenger = Messenger()
        self.parts = [self._service(redis_url, folder / str(number)).parts() for number in range(2)]
        self.replicas: Sequence[Starlette] = [build_app(one) for one in self.parts]
        self._turns = cycle(self.replicas)
        self.heard: list[tuple[Any, bytes]] = []

    def _service(self, redis_url: str, folder: Path) -> ChannelService[VendorSettings, Any]:
        settings = ServiceSettings(
            redis_url=SecretStr(redis_url),
            api_keys=SecretStr(KEYS + SERVICE),
            spool_dir=str(folder),
            sweep_seconds=0,
            mcp_profile="all",
        )
        vendor = VendorSettings(base_url="https://vendor.example")
        return ChannelService(
            service("mcp_avito"), settings, {DEFAULT_ACCOUNT: vendor}, lambda *_: self.messenger, lambda _: []
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def heard() -> Message:
            message = await receive()
            if message.get("body"):
                self.heard.append((scope["headers"], message["body"]))
            return message

        await next(self._turns)(scope, heard, send)

    async def hears_again(self) -> httpx.Response:
        """The last round of a call, as a host sends it that lost the answer."""
        headers, body = next(one for one in reversed(self.heard) if b'"tools/call"' in one[1])
        transport = httpx.ASGITransport(app=self)
        async with httpx.AsyncClient(transport=transport) as http:
            return await http.post(f"{URL}/mcp", headers=headers, content=body)

    @property
    def done(self) -> list[tuple[str, ...]]:
        """What the messenger was made to do."""
        asked = [one for one in self.messenger.asked if one[0] != "list_chats"]
        return [*((one.chat_id, one.text) for one in self.messenger.taken), *asked]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Once: the SDK's sessions do not start again."""
        first, second = (one.router.lifespan_context(one) for one in self.replicas)
        async with first, second:
            yield

    @asynccontextmanager
    async def rest(self, key: str = AGENT) -> AsyncIterator[httpx.AsyncClient]:
        transport, headers = httpx.ASGITransport(app=self), {"X-API-Key": key}
        async with (
            self.running(),
            httpx.AsyncClient(transport=transport, base_url=URL, headers=headers) as http,
        ):
            yield http

    @asynccontextmanager
    async def model(self, **more: Any) -> AsyncIterator[Client]:
        transport, headers = httpx2.ASGITransport(app=self), {"Authorization": f"Bearer {AGENT}"}
        async with (
            self.running(),
            httpx2.AsyncClient(transport=transport, headers=headers) as http,
            Client(streamable_http_client(f"{URL}/mcp", http_client=http), **more) as client,
        ):
            yield client


@pytest.fixture
def house(redis_url: str, tmp_path: Path) -> House:
    return House(redis_url, tmp_path)


def text_of(result: Any) -> str:
    [said] = result.content
    assert isinstance(said, TextContent)
    return said.text


def token_of(result: Any) -> str:
    assert result.is_error
    assert text_of(result).startswith("confirmation_required: ")
    told = result.meta[ERROR_META]
    assert told["code"] == "confirmation_required"
    assert told["confirm_token"] in text_of(result)
    return str(told["confirm_token"])


CALLS: list[tuple[str, dict[str, Any]]] = [
    ("send_message", {"chat_id": STRANGER, "text": "Здравствуйте"}),
    ("send_image", {"chat_id": STRANGER, "image_base64": "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAA=="}),
    ("send_file", {"chat_id": STRANGER, "kind": "document", "file_base64": "JVBERi0xLjcK"}),
    ("send_bulk", {"chat_ids": [WROTE], "text": "Всем"}),
    ("delete_message", {"chat_id": WROTE, "message_id": "m1"}),
    ("subscribe_webhook", {"url": "https://shop.example/webhook"}),
    ("unsubscribe_webhook", {"url": "https://shop.example/webhook"}),
]


@pytest.mark.promise("confirmed")
@pytest.mark.parametrize("age", ["auto", "legacy"])
@pytest.mark.parametrize(("name", "given"), CALLS)
async def test_a_client_that_cannot_ask_gets_a_token_that_any_replica_takes(
    house: House, age: str, name: str, given: dict[str, Any]
) -> None:
    async with house.model(mode=age) as model:
        token = token_of(await model.call_tool(name, given))
        assert house.done == []
        result = await model.call_tool(name, {**given, "confirm_token": token})

    assert not result.is_error
    assert len(house.done) == 1


@pytest.mark.promise("confirmed")
@pytest.mark.parametrize("age", ["auto", "legacy"])
async def test_who_answers_a_customer_is_not_asked(house: House, age: str) -> None:
    async with house.model(mode=age) as model:
        result = await model.call_tool("send_message", {"chat_id": WROTE, "text": "Да, есть"})

    assert not result.is_error
    assert house.done == [(WROTE, "Да, есть")]


@pytest.mark.promise("confirmed")
async def test_a_route_answers_428_with_the_token(house: House) -> None:
    body = {"chat_id": STRANGER, "text": "Здравствуйте"}
    async with house.rest() as http:
        first = await http.post("/api/messages/send", json=body)
        said = first.json()
        assert (first.status_code, said["code"], said["retryable"]) == (428, "confirmation_required", False)
        other = {**body, "text": "Другое", "confirm_token": said["confirm_token"]}
        assert (await http.post("/api/messages/send", json=other)).status_code == 428
        assert house.done == []
        again = {**body, "confirm_token": said["confirm_token"]}
        assert (await http.post("/api/messages/send", json=again)).status_code == 200
        assert (await http.post("/api/messages/send", json=again)).status_code == 428

    assert house.done == [(STRANGER, "Здравствуйте")]


@pytest.mark.promise("confirmed")
async def test_a_full_key_is_never_asked(house: House) -> None:
    async with house.rest(ANNA) as http:
        answers = [
            await http.post("/api/messages/send", json={"chat_id": STRANGER, "text": "Здравствуйте"}),
            await http.post(f"/api/chats/{WROTE}/messages/m1/delete"),
        ]

    assert [one.status_code for one in answers] == [200, 200]


class Person:
    """Somebody at a client that shows questions; `says` is what they answer."""

    def __init__(self, says: str, *, yes: bool = True) -> None:
        self.says = says
        self.yes = yes
        self.asked: list[str] = []

    async def __call__(self, context: Any, params: Any) -> ElicitResult:
        self.asked.append(params.message)
        content = {"yes": self.yes} if self.says == "accept" else None
        return ElicitResult.model_validate({"action": self.says, "content": content})


@pytest.mark.promise("confirmed")
@pytest.mark.parametrize(("name", "given"), CALLS)
async def test_a_client_that_can_ask_is_asked_within_the_call_over_replicas(
    house: House, name: str, given: dict[str, Any]
) -> None:
    person = Person("accept")
    async with house.model(elicitation_callback=person) as model:
        result = await model.call_tool(name, given)

    assert not result.is_error
    assert len(house.done) == len(person.asked) == 1
    assert name in person.asked[0]
    assert all(f"“{given[one]}”" in person.asked[0] for one in ("text",) if one in given)


@pytest.mark.promise("confirmed")
@pytest.mark.parametrize(("name", "given"), CALLS)
async def test_a_yes_within_a_call_is_good_once(house: House, name: str, given: dict[str, Any]) -> None:
    """The last round comes again, at the other replica: nothing is done a second time."""
    async with house.model(elicitation_callback=Person("accept")) as model:
        assert not (await model.call_tool(name, given)).is_error
        again = await house.hears_again()

    assert "confirmation_required: " in again.text
    assert len(house.done) == 1


@pytest.mark.promise("confirmed")
async def test_a_yes_is_good_for_a_repeat_that_sends_nothing_anew(house: House) -> None:
    given = {"chat_id": STRANGER, "text": "Здравствуйте", "idempotency_key": "k-1"}
    async with house.model(elicitation_callback=Person("accept")) as model:
        first = await model.call_tool("send_message", given)
        again = await house.hears_again()

    assert not first.is_error
    told = again.json()["result"]["structuredContent"]
    assert told == {**(first.structured_content or {}), "duplicate": True}
    assert len(house.done) == 1


@pytest.mark.promise("confirmed")
@pytest.mark.parametrize("person", [Person("decline"), Person("cancel"), Person("accept", yes=False)])
async def test_a_no_is_a_no(house: House, person: Person) -> None:
    person.asked.clear()
    async with house.model(elicitation_callback=person) as model:
        result = await model.call_tool("send_message", {"chat_id": STRANGER, "text": "Здравствуйте"})

    assert text_of(result).startswith("declined: ")
    assert len(person.asked) == 1
    assert house.done == []


@pytest.mark.promise("confirmed")
async def test_who_answers_a_customer_is_not_asked_by_a_client_that_can_ask(house: House) -> None:
    person = Person("decline")
    async with house.model(elicitation_callback=person) as model:
        assert not (await model.call_tool("send_message", {"chat_id": WROTE, "text": "Да"})).is_error

    assert person.asked == []


@contextmanager
def called_by(caller: Caller) -> Iterator[None]:
    token = current_caller.set(caller)
    try:
        yield
    finally:
        current_caller.reset(token)


@pytest.mark.promise("confirmed")
@pytest.mark.parametrize("says", ["accept", "decline"])
async def test_an_older_client_on_a_lasting_connection_is_asked_within_the_call(
    house: House, says: str
) -> None:
    """As over stdio, where the server hears what the client can."""
    person = Person(says)
    with called_by(Caller("stdio")):
        server = build_server(house.parts[0])
        async with (
            house.parts[0].lifespan(),
            Client(server, mode="legacy", elicitation_callback=person) as model,
        ):
            result = await model.call_tool("send_message", {"chat_id": STRANGER, "text": "Здравствуйте"})

    assert len(person.asked) == 1
    assert len(house.done) == (says == "accept")
    assert result.is_error == (says == "decline")


@pytest.mark.promise("confirmed")
async def test_nobody_is_asked_about_what_the_key_may_not_do(house: House) -> None:
    person = Person("accept")
    with called_by(Caller("stdio", mode="read_only")):
        server = build_server(house.parts[0])
        async with house.parts[0].lifespan(), Client(server, elicitation_callback=person) as model:
            result = await model.call_tool("send_message", {"chat_id": STRANGER, "text": "Здравствуйте"})

    assert text_of(result).startswith("forbidden: ")
    assert person.asked == []
    assert house.done == []
