"""The orchestrator's client of the channels: what their answers mean, over HTTP in memory."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import httpx
import pytest
from starlette.applications import Starlette

from core.api import api_routes
from core.attempts import Attempts
from core.channel import Channel, ChatInfo, ChatPage, MediaLink
from core.channel_operations import Account, ChannelOperations
from core.echoes import Echoes
from core.errors import (
    AuthFailed,
    ChannelError,
    NotFound,
    OutcomeUnknown,
    PeerUnreachable,
    RateLimited,
    Rejected,
    VendorDown,
)
from core.ids import DEFAULT_ACCOUNT, ChatId
from core.messages import OutgoingMessage
from core.observability import Metrics
from core.problems import from_channel_error, problem
from core.sending import Sender
from core.testing import FAKE_LIMITS, FakeChannel
from orchestrator.channels import FIND_TIMEOUT, READ_TIMEOUT, SEND_TIMEOUT, Channels
from tests.integration.intake_fixture import KEYS, connect

Answer = Callable[[httpx.Request], httpx.Response]
URL = "http://avito.test:8765"


class Server:
    """A channel's server that answers as the test says."""

    def __init__(self, answer: Answer | httpx.Response) -> None:
        self._answer = answer
        self.requests: list[httpx.Request] = []

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return self._answer if isinstance(self._answer, httpx.Response) else self._answer(request)

    @asynccontextmanager
    async def channels(self) -> AsyncIterator[Channels]:
        async with httpx.AsyncClient(transport=httpx.MockTransport(self.handle)) as http:
            yield Channels({"avito": URL}, http)

    async def send(self, message: OutgoingMessage | None = None) -> list[str]:
        async with self.channels() as channels:
            return await channels.send(message or outgoing())

    async def failure(self) -> ChannelError:
        with pytest.raises(ChannelError) as caught:
            await self.send()
        assert caught.value.channel == "avito"
        return caught.value


def outgoing(text: str = "Да", **more: Any) -> OutgoingMessage:
    message = {"channel": "avito", "external_chat_id": "c/1", "account": "shop", "text": text, **more}
    return OutgoingMessage.model_validate(message)


def answered(status: int, body: Any = None, **headers: str) -> httpx.Response:
    return httpx.Response(status, json=body, headers=headers)


def problem_of(error: ChannelError) -> httpx.Response:
    told = from_channel_error(error)
    return httpx.Response(told.status_code, content=bytes(told.body), headers=dict(told.headers))


# --- sending ----------------------------------------------------------------------------------------------


async def test_a_text_is_sent_under_the_id_of_the_delivery() -> None:
    server, message = Server(answered(200, {"message_ids": ["m1", 2]})), outgoing()

    assert await server.send(message) == ["m1", "2"]

    [request] = server.requests
    assert (request.method, str(request.url)) == ("POST", f"{URL}/api/messages/send")
    assert json.loads(request.content) == {
        "chat_id": "c/1",
        "account": "shop",
        "idempotency_key": str(message.id),
        "text": "Да",
    }
    assert request.extensions["timeout"]["read"] == SEND_TIMEOUT


async def test_a_picture_is_sent_with_its_words() -> None:
    server = Server(answered(200, {"message_ids": ["m1"]}))

    await server.send(outgoing(image_url="https://i/1"))

    [request] = server.requests
    assert request.url.path == "/api/messages/send/image"
    body = json.loads(request.content)
    assert (body["image_url"], body["caption"], "text" in body) == ("https://i/1", "Да", False)


async def test_buttons_and_a_quote_go_with_the_text() -> None:
    server = Server(answered(200, {"message_ids": ["m1"]}))

    await server.send(outgoing(buttons=["Да", "Нет"], reply_to="m0"))

    body = json.loads(server.requests[0].content)
    assert (body["text"], body["buttons"], body["reply_to"]) == ("Да", ["Да", "Нет"], "m0")


@pytest.mark.parametrize("kind", ["voice", "video", "document"])
async def test_a_file_is_sent_by_its_kind_with_its_words(kind: str) -> None:
    server = Server(answered(200, {"message_ids": ["m1"]}))
    message = outgoing(file_url="https://f/1", file_kind=kind)

    await server.send(message)

    [request] = server.requests
    assert request.url.path == "/api/messages/send/file"
    assert json.loads(request.content) == {
        "chat_id": "c/1",
        "account": "shop",
        "idempotency_key": str(message.id),
        "kind": kind,
        "file_url": "https://f/1",
        "caption": "Да",
    }


async def test_a_channel_without_a_server_is_told_by_name() -> None:
    server = Server(answered(200))
    async with server.channels() as channels:
        assert channels.names == {"avito"}
        with pytest.raises(NotFound, match="'vk'"):
            await channels.send(outgoing(channel="vk"))
    assert server.requests == []


@pytest.mark.promise("vendor-errors")
@pytest.mark.parametrize("error", ChannelError.__subclasses__())
async def test_a_channels_failure_keeps_its_meaning(error: type[ChannelError]) -> None:
    told = await Server(problem_of(error("It is so.", retry_after=2.5))).failure()

    assert type(told) is error
    assert (told.detail, told.retry_after) == ("It is so.", 2.5)


@pytest.mark.parametrize(
    ("body", "headers", "seconds"),
    [
        ({"code": "rate_limited", "retry_after": 0.25}, {}, 0.25),
        ({"code": "rate_limited"}, {"retry-after": "30"}, 30.0),
        ({"code": "rate_limited", "retry_after": 0}, {"retry-after": "0"}, 0.0),
        ({"code": "rate_limited"}, {"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, None),
        ({"code": "rate_limited", "retry_after": "soon"}, {}, None),
        ({"code": "rate_limited", "retry_after": "²"}, {}, None),
        ({"code": "rate_limited", "retry_after": -1}, {}, None),
        ({"code": "rate_limited", "retry_after": [3]}, {}, None),
        ({"code": "rate_limited"}, {}, None),
    ],
)
async def test_the_time_to_wait_is_read_where_it_can_be(
    body: dict[str, Any], headers: dict[str, str], seconds: float | None
) -> None:
    told = await Server(answered(429, body, **headers)).failure()

    assert isinstance(told, RateLimited)
    assert told.retry_after == seconds


@pytest.mark.parametrize(
    ("status", "body"),
    [(500, {"code": "internal_error", "detail": "Broken."}), (502, None), (504, ["x"]), (302, {}), (404, {})],
)
async def test_a_failure_without_a_meaning_is_a_plain_one(status: int, body: Any) -> None:
    """It is repeated under the same id; who knows what the server had done."""
    told = await Server(answered(status, body)).failure()

    assert type(told) is ChannelError
    assert "Broken." in told.detail or str(status) in told.detail


async def test_an_answer_that_is_no_json_is_told_by_its_status() -> None:
    told = await Server(httpx.Response(503, text="<html>away</html>")).failure()

    assert told.detail == "The avito server answered 503."


@pytest.mark.parametrize("code", ["invalid", "too_large", "unreadable_json"])
async def test_a_request_that_the_channel_cannot_read_is_not_repeated(code: str) -> None:
    """It will be the same the next time; the chat must not wait for it."""
    told = problem(422, code, "Wrong or missing: chat_id.")

    error = await Server(httpx.Response(422, content=bytes(told.body))).failure()

    assert isinstance(error, Rejected)
    assert error.detail == "Wrong or missing: chat_id."


async def test_a_key_that_the_channel_refuses_is_told_as_ours_to_mend() -> None:
    told = problem(401, "unauthorized", "No valid key.")

    error = await Server(httpx.Response(401, content=bytes(told.body))).failure()

    assert isinstance(error, VendorDown)
    assert "CHANNEL_API_KEY" in error.detail


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"{}", b'{"message_ids": null}', b'{"message_ids": []}']
)
async def test_a_success_that_names_no_message_is_unknown(body: bytes) -> None:
    """A proxy's page is no proof that the customer has it."""
    error = await Server(httpx.Response(200, content=body)).failure()

    assert isinstance(error, OutcomeUnknown)


@pytest.mark.parametrize(
    ("raised", "means"),
    [
        (httpx.ConnectError("refused"), VendorDown),
        (httpx.ConnectTimeout("slow"), VendorDown),
        (httpx.PoolTimeout("busy"), VendorDown),
        (httpx.ReadTimeout("slow"), OutcomeUnknown),
        (httpx.ReadError("reset"), OutcomeUnknown),
        (httpx.WriteError("reset"), OutcomeUnknown),
        (httpx.RemoteProtocolError("nonsense"), OutcomeUnknown),
    ],
)
async def test_only_what_certainly_reached_nobody_is_called_down(
    raised: Exception, means: type[ChannelError]
) -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        raise raised

    assert type(await Server(answer).failure()) is means


# --- asking -----------------------------------------------------------------------------------------------


async def test_a_read_waits_shortly() -> None:
    server = Server(answered(200, {"chat_id": "c"}))
    async with server.channels() as channels:
        await channels.chat("avito", "default", "c")

    assert server.requests[0].extensions["timeout"]["read"] == READ_TIMEOUT


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"url": 5}', b'{"chat_id": null}'])
async def test_facts_that_cannot_be_read_are_a_failure_of_the_channel(body: bytes) -> None:
    """Another error would cost the customer the turn."""
    server = Server(httpx.Response(200, content=body))
    async with server.channels() as channels:
        with pytest.raises(ChannelError):
            await channels.chat("avito", "default", "c")
        with pytest.raises(ChannelError):
            await channels.media_link("avito", "default", "f")


async def test_an_id_too_long_for_an_address_is_refused_here() -> None:
    async with Server(answered(200, {"url": "https://v"})).channels() as channels:
        with pytest.raises(ChannelError):
            await channels.media_link("avito", "default", "x" * 70_000)


@pytest.mark.parametrize("odd", ["", ".", ".."])
async def test_an_id_that_would_change_the_address_asks_nobody(odd: str) -> None:
    server = Server(answered(200, {"chat_id": "of somebody else", "url": "https://v"}))
    async with server.channels() as channels:
        with pytest.raises(NotFound):
            await channels.chat("avito", "default", odd)
        with pytest.raises(NotFound):
            await channels.media_link("avito", "default", odd)

    assert server.requests == []


async def test_the_chat_of_a_phone_is_asked_for_by_account() -> None:
    server = Server(answered(200, {"chat_id": "79001234567"}))
    async with server.channels() as channels:
        assert await channels.chat_of_phone("avito", "shop", "+79001234567") == "79001234567"

    [request] = server.requests
    assert (request.method, request.url.path) == ("POST", "/api/chats/find")
    assert json.loads(request.content) == {"phone": "+79001234567", "account": "shop"}
    assert request.extensions["timeout"]["read"] == FIND_TIMEOUT


async def test_a_number_that_is_not_there_keeps_its_meaning() -> None:
    async with Server(problem_of(PeerUnreachable("No such number."))).channels() as channels:
        with pytest.raises(PeerUnreachable, match="No such number"):
            await channels.chat_of_phone("avito", "shop", "+79001234567")


async def test_asking_for_a_chat_leaves_nothing_in_doubt() -> None:
    """Else an agent would be told not to repeat what only looks something up."""

    def answer(_: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("slow")

    async with Server(answer).channels() as channels:
        with pytest.raises(VendorDown):
            await channels.chat_of_phone("avito", "shop", "+79001234567")


@pytest.mark.parametrize("body", [{}, {"chat_id": ""}, {"chat_id": 7}])
async def test_a_chat_without_a_name_is_a_failure_of_the_channel(body: dict[str, Any]) -> None:
    async with Server(answered(200, body)).channels() as channels:
        with pytest.raises(ChannelError):
            await channels.chat_of_phone("avito", "shop", "+79001234567")


async def test_a_profile_is_asked_for_by_the_vendors_name_of_the_user() -> None:
    server = Server(answered(200, {"user_id": "a/b", "name_untrusted": "Анна", "phone": "+79001234567"}))
    async with server.channels() as channels:
        profile = await channels.profile("avito", "shop", "a/b")

    assert (profile.name_untrusted, profile.phone) == ("Анна", "+79001234567")
    assert server.requests[0].url.raw_path == b"/api/users/a%2Fb?account=shop"


# --- a real channel service -------------------------------------------------------------------------------


class ListingChannel(FakeChannel):
    """A messenger whose chats can be asked about."""

    async def list_chats(self, limit: int, cursor: str) -> ChatPage:
        return ChatPage(chats=[])

    async def get_chat(self, chat_id: ChatId) -> ChatInfo:
        if chat_id == "gone":
            raise NotFound("There is no such chat.", channel=self.name)
        return ChatInfo(chat_id=chat_id, client_name_untrusted="Анна")

    async def media_link(self, file_id: str) -> MediaLink:
        return MediaLink(url=f"https://files/{len(file_id)}")


@asynccontextmanager
async def real(redis_url: str, channel: FakeChannel) -> AsyncIterator[Channels]:
    """The client against the routes that a channel's process serves."""
    async with connect(redis_url) as redis:
        sender = Sender(channel, Attempts(redis, KEYS, channel._clock), Echoes(redis, KEYS))
        accounts = {DEFAULT_ACCOUNT: Account(cast(Channel, channel), sender)}
        operations = ChannelOperations("Avito", accounts, FAKE_LIMITS, cast(Any, None)).all()
        app = Starlette(routes=api_routes(operations, Metrics()))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app)) as http:
            yield Channels({"avito": "http://testserver"}, http)


@pytest.mark.parametrize("chat_id", ["a b/c{d}", "%2F..%00?x=1#y", "чат", "/", "a/messages", "..a", "a/../b"])
async def test_any_chat_id_survives_the_way_to_the_channel(redis_url: str, chat_id: str) -> None:
    channel = ListingChannel()
    async with real(redis_url, channel) as channels:
        await channels.send(outgoing(external_chat_id=chat_id, account="default"))
        chat = await channels.chat("avito", "default", chat_id)
        link = await channels.media_link("avito", "default", chat_id)

    assert [one.chat_id for one in channel.taken] == [chat_id]
    assert chat == ChatInfo(chat_id=chat_id, client_name_untrusted="Анна")
    assert link.url == f"https://files/{len(chat_id)}"


async def test_the_same_delivery_twice_is_one_message(redis_url: str) -> None:
    channel, message = ListingChannel(), outgoing(account="default")
    async with real(redis_url, channel) as channels:
        first = await channels.send(message)
        second = await channels.send(message)

    assert first == second
    assert [one.text for one in channel.taken] == ["Да"]


async def test_errors_of_the_messenger_arrive_as_they_were_raised(redis_url: str) -> None:
    channel = ListingChannel()
    channel.fail(AuthFailed("The keys are wrong."))
    channel.fail(RateLimited(retry_after=7))
    channel.fail(RuntimeError("a fault of ours"), taken=True)
    async with real(redis_url, channel) as channels:
        told = await asyncio.gather(
            *(channels.send(outgoing(account="default")) for _ in range(3)), return_exceptions=True
        )
        with pytest.raises(NotFound, match="no such chat"):
            await channels.chat("avito", "default", "gone")

    assert {type(one) for one in told} == {AuthFailed, RateLimited, OutcomeUnknown}
