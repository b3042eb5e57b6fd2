"""What a channel server shows under a URI: its chats and what it can do, by the same names as the hub."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from mcp import Client, MCPError
from mcp.server.mcpserver import MCPServer
from mcp.types import INVALID_PARAMS

from core.channel_operations import Account, ChannelOperations
from core.errors import NotFound
from core.ids import DEFAULT_ACCOUNT, AccountId, ChatId
from core.observability import Metrics
from core.operations import Operation
from core.registry import CHANNELS
from core.resources import ResourceOf, add_resources
from core.testing import FAKE_RICH_LIMITS, FakeChannelWithEverything
from tests.servers import SERVERS

SECOND = AccountId("shop")


class Messenger(FakeChannelWithEverything):
    """A vendor that knows the chats in which something was sent."""

    async def get_chat(self, chat_id: ChatId) -> Any:
        if chat_id not in [one.chat_id for one in self.taken]:
            raise NotFound("There is no such chat.")
        return await super().get_chat(chat_id)


class Two:
    """Two accounts of a messenger."""

    def __init__(self) -> None:
        self.own, self.other = Messenger(), Messenger()
        accounts = {SECOND: self.other, DEFAULT_ACCOUNT: self.own}
        nothing = cast(Any, None)  # nothing is sent and nothing is fetched
        self.operations = ChannelOperations(
            "Fake",
            {name: Account(channel, nothing) for name, channel in accounts.items()},
            FAKE_RICH_LIMITS,
            nothing,
        )

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Client]:
        server = MCPServer("fake", log_level="WARNING")
        add_resources(server, self.operations.resources(), Metrics())
        async with Client(server) as client:
            yield client


async def _read(reader: Client, uri: str) -> dict[str, Any]:
    [content] = (await reader.read_resource(uri)).contents
    read: dict[str, Any] = json.loads(content.text)  # type: ignore[union-attr]  # text, not bytes
    return read


@pytest.mark.promise("resources")
async def test_a_chat_is_read_by_the_account_that_its_name_says() -> None:
    two = Two()
    name = two.own.name
    await two.own.send_text(ChatId("a@b:1"), "наша")
    await two.other.send_text(ChatId("a@b:1"), "чужая")
    async with two.reading() as reader:
        own = await _read(reader, f"chat://{name}/a%40b%3A1")
        plain = await _read(reader, f"chat://{name}/a@b:1")
        other = await _read(reader, f"chat://{name}/shop/a%40b%3A1")

    assert [one["messages"][0]["text_untrusted"] for one in (own, other)] == ["наша", "чужая"]
    assert (own["chat_id"], plain) == ("a@b:1", own)


@pytest.mark.promise("resources")
async def test_what_the_channel_can_do_is_there_without_asking_for_it_by_name() -> None:
    two = Two()
    async with two.reading() as reader:
        [listed] = (await reader.list_resources()).resources
        told = await _read(reader, listed.uri)

    assert listed.uri == f"channel://{two.own.name}/capabilities"
    assert (told["channel"], told["accounts"]) == (two.own.name, ["default", "shop"])
    assert "SendsButtons" in told["parts"]
    assert told["limits"]["text_limit"] == FAKE_RICH_LIMITS.text_limit


@pytest.mark.promise("resources")
@pytest.mark.parametrize(
    ("path", "said"), [("404", "not_found"), ("nobody/1", "known: "), ("a/b/c", "Unknown resource")]
)
async def test_a_chat_that_nobody_knows_is_not_found(path: str, said: str) -> None:
    two = Two()
    async with two.reading() as reader:
        with pytest.raises(MCPError, match=said) as refused:
            await reader.read_resource(f"chat://{two.own.name}/{path}")

    assert refused.value.code == INVALID_PARAMS


@pytest.mark.promise("one-contract")
@pytest.mark.parametrize("service", CHANNELS, ids=lambda service: service.name)
async def test_every_channel_has_the_same_resources(service: Any) -> None:
    """Learn one, know six."""
    operations = {one.name: one for one in SERVERS[service.channel]().operations}

    assert _shown(operations["read_conversation"]) == ("/api/chats/{chat_id}/conversation", False)
    assert _shown(operations["channel_capabilities"]) == ("/api/capabilities", False)


def _shown(operation: Operation) -> tuple[str, bool]:
    return operation.path, operation.tool


def test_an_id_is_encoded_in_its_place() -> None:
    resource = ResourceOf("chat://vk/{chat_id}", cast(Any, None))

    assert resource.filled(chat_id="а/б@1") == "chat://vk/%D0%B0%2F%D0%B1%401"
