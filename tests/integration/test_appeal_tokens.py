"""A token of appeal A opens A: nothing of B is read, changed or told, by whichever door."""

import re
from collections.abc import AsyncIterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp.types import ResourceTemplateReference

from core.app import build_app
from core.channel_fence import OPEN as AT_CHANNELS
from core.fence import NAMING
from orchestrator import merges
from orchestrator.hub_fence import OPEN
from tests.integration.hub_server import served
from tests.integration.token_fixture import AGENT, LOOKER, OPERATOR, Hub, Side, hub_with, side
from tests.servers import SERVERS

pytestmark = pytest.mark.promise("one-conversation")

DOCS = Path(__file__).parent.parent.parent / "docs"

#: What a token does not open, whatever it is asked with.
CLOSED = {
    "accept_suggestion",
    "agent_webhook",
    "cancel_bulk",
    "change_dead_letter",
    "change_dead_letters",
    "dead_letters",
    "dismiss_suggestion",
    "enable_agent_webhook",
    "end_token",
    "erase_client",
    "export_client",
    "get_bulk",
    "get_dead_letter",
    "list_audit",
    "list_clients",
    "list_merges",
    "list_suggestions",
    "make_token",
    "merge_clients",
    "pause",
    "resend_delivery",
    "resume",
    "send_bulk",
    "settle_delivery",
    "show_inbox",
    "unmerge_clients",
    "waiting_turns",
}
#: What shows the token's own alone, so that it is no refusal.
NARROWED = {"list_appeals", "list_deliveries", "list_paused", "wait_for_turn"}
#: Names nothing of a customer's.
HARMLESS = {"channel_capabilities"}
#: Arguments that name nothing, where an operation wants them.
REST: dict[str, Any] = {
    "action": "replay",
    "bulk_id": "6f1e0c9b-0000-4000-8000-000000000001",
    "confirm": "1",
    "letter_id": "0",
    "merge_id": "1",
    "outcome": "sent",
    "reason": "так надо",
    "suggestion_id": "1",
    "text": "слова токена",
    "token": "eat1.x.y",
    "wait_seconds": 0,
}


@pytest.fixture
async def sides(redis_url: str, database_url: str) -> tuple[Side, Side]:
    """Anna of appeal A, and Boris of appeal B."""
    async with hub_with(redis_url, database_url, loops=True) as busy:
        anna = await side(busy, "telegram", "chat-of-anna", "Анна-А")
        return anna, await side(busy, "avito", "chat-of-boris", "Борис-Б")


@pytest.fixture
async def hub(redis_url: str, database_url: str, sides: tuple[Side, Side]) -> AsyncIterator[Hub]:
    """On what the busy one left."""
    async with hub_with(redis_url, database_url, loops=False) as made:
        yield made


@pytest.fixture
def ours(sides: tuple[Side, Side]) -> Side:
    return sides[0]


@pytest.fixture
def theirs(sides: tuple[Side, Side]) -> Side:
    return sides[1]


@pytest.fixture
async def token(hub: Hub, ours: Side) -> str:
    return await hub.token(ours["appeal_id"])


def arguments(hub: Hub, name: str, of: Side) -> dict[str, Any]:
    """Everything that an operation can be told of this customer."""
    one = next(one for one in hub.parts.operations if one.name == name)
    known = {
        **REST,
        **of.names,
        "chat_ids": [of["chat_id"]],
        "winner_id": of["client_id"],
        "loser_id": of["client_id"],
    }
    if one.name == "trace_message":
        return {key: of[key] for key in ("channel", "chat_id", "message_id", "account")}
    given = {key: known[key] for key in one.signature.parameters if key in known}
    missing = [
        key for key, field in one.arguments.model_fields.items() if field.is_required() and key not in given
    ]
    assert missing == [], f"{name} wants {missing}: say in REST what it is"
    if one.name in ("change_dead_letter", "change_dead_letters"):
        given["confirm"] = False
    return given


async def test_it_is_decided_of_every_operation_what_a_token_may() -> None:
    """A new one is closed until somebody decides otherwise, here and in hub_fence.py."""
    names = {one.name for one in SERVERS["hub"]().operations}

    assert names == OPEN | CLOSED
    assert set() == OPEN & CLOSED


@pytest.mark.parametrize("page", ["authorization.md", "authorization.ru.md"])
def test_the_page_names_what_is_open(page: str) -> None:
    """Whoever hands a token out reads there what it opens."""
    text = (DOCS / page).read_text("utf-8")
    heads = ("Open at the hub", "Open at a channel") if page == "authorization.md" else ("У хаба", "У канала")
    told = [
        set(re.findall(r"`(\w+)`", text.partition(f"- {head}")[2].partition("\n- ")[0])) for head in heads
    ]

    assert told == [set(OPEN), set(AT_CHANNELS)]


async def test_nothing_of_another_appeal_is_read_or_changed(
    hub: Hub, ours: Side, theirs: Side, token: str
) -> None:
    """By any operation, given all that can be known of B, with B's own lease."""
    before = await hub.dump()
    for one in hub.parts.operations:
        given = arguments(hub, one.name, theirs)
        answer = await hub.call(one.name, given, token)

        assert theirs.shows_in(answer.text) == [], one.name
        if one.name not in NARROWED | HARMLESS:
            assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), (one.name, answer.text)
    assert await hub.dump() == before


async def test_one_name_of_anothers_is_enough_to_be_refused(
    hub: Hub, ours: Side, theirs: Side, token: str
) -> None:
    """Among the token's own ones, wherever an open operation takes a name."""
    before = await hub.dump()
    for name in sorted(OPEN - HARMLESS):
        given = arguments(hub, name, ours)
        for argument in sorted(NAMING & given.keys()):
            mixed = given | {argument: theirs[argument]}
            answer = await hub.call(name, mixed, token)
            # A message is looked for in the chat, which is the token's own: there is none of that id.
            wanted = 404 if argument == "message_id" else 403
            assert answer.status_code == wanted, (name, argument, answer.text)
    assert await hub.dump() == before


async def test_a_refusal_does_not_tell_whether_there_is_such_a_thing(
    hub: Hub, ours: Side, theirs: Side, token: str
) -> None:
    """The same words for B's and for nobody's."""
    nobodys = {
        "appeal_id": "999999",
        "client_id": "999999",
        "turn_id": "999999",
        "delivery_id": "6f1e0c9b-0000-4000-8000-000000000002",
        "chat_id": "nobodys",
        "message_id": "nobodys",
        "reply_to": "nobodys",
    }
    for name in sorted(OPEN - HARMLESS):
        given = arguments(hub, name, ours)
        for argument in sorted(NAMING & given.keys()):
            there = await hub.call(name, given | {argument: theirs[argument]}, token)
            gone = await hub.call(name, given | {argument: nobodys[argument]}, token)
            assert there.text == gone.text, (name, argument)


async def test_a_token_works_where_it_is_for(hub: Hub, ours: Side, token: str) -> None:
    """Everything that is open, with its own names: the agent can do its work to the end."""
    for name in ("get_appeal", "appeal_journal", "get_client", "read_conversation", "trace_message"):
        answer = await hub.call(name, arguments(hub, name, ours), token)
        assert answer.status_code == 200, (name, answer.text)
    listed = (await hub.call("list_appeals", {"status": "all"}, token)).json()["appeals"]
    assert [one["appeal_id"] for one in listed] == [ours["appeal_id"]]
    card = (await hub.call("get_client", arguments(hub, "get_client", ours), token)).json()
    assert [one["appeal_id"] for one in card["appeals"]] == [ours["appeal_id"]]
    noted = await hub.call("add_note", {"appeal_id": ours["appeal_id"], "text": "от помощника"}, token)
    assert noted.json()["notes"][-1]["by"] == "agent"
    lease = {key: ours[key] for key in ("turn_id", "lease_token")}
    assert (await hub.call("extend_turn", lease, token)).json()["status"] == "extended"
    assert (await hub.call("release_turn", lease, token)).json()["status"] == "released"
    turn = (await hub.call("wait_for_turn", {"wait_seconds": 10}, token)).json()
    assert (turn["turn_id"], turn["appeal_id"]) == (ours["turn_id"], ours["appeal_id"])
    said = {"turn_id": turn["turn_id"], "lease_token": turn["lease_token"], "text": "Готово"}
    replied = (await hub.call("reply", said, token)).json()
    assert replied["status"] == "queued"
    got = await hub.call("get_delivery", {"delivery_id": replied["delivery_id"]}, token)
    assert got.json()["chat_id"] == ours["chat_id"]
    sent = {"channel": "telegram", "chat_id": ours["chat_id"], "text": "И ещё"}
    assert (await hub.call("send_message", sent, token)).status_code == 200
    assert (await hub.call("close_appeal", {"appeal_id": ours["appeal_id"]}, token)).status_code == 200


async def test_a_wait_takes_turns_of_the_appeal_alone(hub: Hub, ours: Side, theirs: Side, token: str) -> None:
    """B's turn waits and stays where it is; A's is taken when it comes."""
    lease = {key: theirs[key] for key in ("turn_id", "lease_token")}
    await hub.told("/api/turns/{turn_id}/release".format(**lease), lease_token=lease["lease_token"])

    nothing = (await hub.call("wait_for_turn", {"wait_seconds": 0}, token)).json()
    not_ours = await hub.call("wait_for_turn", {"wait_seconds": 0, "turn_id": theirs["turn_id"]}, token)

    assert nothing["status"] == "none"
    assert not_ours.status_code == 403
    assert (
        await hub.pool.fetchval("SELECT status FROM turns WHERE id = $1", int(theirs["turn_id"])) == "ready"
    )


async def test_other_doors_are_closed_to_a_token(hub: Hub, token: str) -> None:
    """What is no operation tells of everybody."""
    for path in ("/info", "/metrics", "/api/turns/events"):
        assert (await hub.ask(path, token, "GET")).status_code == 403, path


async def test_a_token_gives_no_more_than_its_maker_has(hub: Hub, ours: Side, token: str) -> None:
    """Not in scopes, not in mode, and nothing that only operators may."""
    path = f"/api/appeals/{ours['appeal_id']}/token"
    looking = await hub.token(ours["appeal_id"], LOOKER)
    fewer = await hub.token(ours["appeal_id"], AGENT, may=["read"])
    persons = await hub.token(ours["appeal_id"], OPERATOR)
    note = {"appeal_id": ours["appeal_id"], "text": "можно?"}
    words = {"channel": "telegram", "chat_id": ours["chat_id"], "text": "x", "sender": "operator"}

    assert (await hub.ask(path, LOOKER, may=["answer"])).status_code == 403
    assert (await hub.ask(path, LOOKER, mode="full")).status_code == 403
    assert (await hub.ask(path, token)).status_code == 403, "a token makes no token"
    for weak in (looking, fewer):
        assert (await hub.call("get_appeal", {"appeal_id": ours["appeal_id"]}, weak)).status_code == 200
        assert (await hub.call("add_note", note, weak)).status_code == 403
    assert (await hub.call("send_message", words, persons)).status_code == 403


async def test_a_token_that_was_taken_back_opens_nothing(hub: Hub, ours: Side, token: str) -> None:
    """By its maker or an operator, and nobody else; other tokens go on."""
    other, asked = await hub.token(ours["appeal_id"]), {"appeal_id": ours["appeal_id"]}

    assert (await hub.ask("/api/tokens/end", LOOKER, token=token)).status_code == 403
    assert (await hub.ask("/api/tokens/end", AGENT, token=token)).status_code == 200

    assert (await hub.call("get_appeal", asked, token)).status_code == 403
    assert (await hub.call("get_appeal", asked, other)).status_code == 200


@pytest.mark.parametrize("told", ["Redis was told", "Redis has forgotten"])
async def test_after_a_merge_and_its_end_old_tokens_open_nothing(
    hub: Hub, ours: Side, theirs: Side, token: str, told: str
) -> None:
    """Whoever the client is by then, the token was not made for them; a new one is."""
    winners = await hub.token(theirs["appeal_id"])
    asked = {"appeal_id": ours["appeal_id"]}
    one, other = int(theirs["client_id"]), int(ours["client_id"])
    if told == "Redis was told":
        done = await hub.told("/api/client-merges", winner_id=str(one), loser_id=str(other))
        merge_id = int(done["merge_id"])
    else:
        now = hub.now()
        merge_id = (await merges.merge(hub.pool, one, other, by="anna", now=now)).id

    assert (await hub.call("get_appeal", asked, token)).status_code == 403
    assert (await hub.call("get_appeal", {"appeal_id": theirs["appeal_id"]}, winners)).status_code == 403
    merged = await hub.token(ours["appeal_id"])
    assert (await hub.call("get_appeal", asked, merged)).status_code == 200
    assert (await hub.call("get_appeal", {"appeal_id": theirs["appeal_id"]}, merged)).status_code == 403
    stays = await hub.token(theirs["appeal_id"])
    if told == "Redis was told":
        await hub.told(f"/api/client-merges/{merge_id}/undo")
    else:
        await merges.unmerge(hub.pool, merge_id, by="anna", now=hub.now())

    assert (await hub.call("get_appeal", {"appeal_id": theirs["appeal_id"]}, stays)).status_code == 403
    assert (await hub.call("get_appeal", asked, merged)).status_code == 403
    assert (await hub.call("get_client", {"client_id": str(one)}, merged)).status_code == 403
    assert (await hub.call("get_appeal", asked, token)).status_code == 403
    assert (await hub.call("get_appeal", asked, await hub.token(ours["appeal_id"]))).status_code == 200


async def test_after_an_erasure_a_token_opens_nothing(hub: Hub, ours: Side, token: str) -> None:
    client = ours["client_id"]
    await hub.told(f"/api/clients/{client}/erase", confirm=client)

    for name in ("get_appeal", "get_client", "read_conversation", "list_appeals", "wait_for_turn"):
        answer = await hub.call(name, arguments(hub, name, ours), token)
        assert answer.status_code == 403, name


@pytest.mark.parametrize("age", ["auto", "legacy"])
async def test_the_same_holds_over_mcp(hub: Hub, ours: Side, theirs: Side, token: str, age: str) -> None:
    """Tools, their list, resources, templates, completion and what may be watched."""
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        served(build_app(replace(hub.parts, lifespan=nullcontext))) as url,
        httpx2.AsyncClient(headers=headers, timeout=60) as http,
        Client(streamable_http_client(f"{url}/mcp", http_client=http), mode=age) as agent,
    ):
        tools = {tool.name for tool in (await agent.list_tools()).tools}
        assert tools <= OPEN
        assert {"reply", "get_appeal"} <= tools
        own = await agent.call_tool("get_appeal", {"appeal_id": ours["appeal_id"]})
        assert not own.is_error
        refused = await agent.call_tool("get_appeal", {"appeal_id": theirs["appeal_id"]})
        assert refused.is_error
        assert "forbidden: This token is for the appeal" in refused.content[0].text  # type: ignore[union-attr]  # a text
        await agent.read_resource(f"appeal://{ours['appeal_id']}")
        for uri in (f"appeal://{theirs['appeal_id']}", f"chat://avito/{theirs['chat_id']}", "inbox://turns"):
            with pytest.raises(MCPError, match="This token is for the appeal"):
                await agent.read_resource(uri)
        for template, own_id in (("appeal://{id}", ours["appeal_id"]), ("client://{id}", ours["client_id"])):
            ref = ResourceTemplateReference(type="ref/resource", uri=template)
            told = await agent.complete(ref, {"name": "id", "value": ""})
            assert told.completion.values == [own_id]
        chats = ResourceTemplateReference(type="ref/resource", uri="chat://{channel}/{chat_id}")
        told = await agent.complete(chats, {"name": "chat_id", "value": ""})
        assert told.completion.values == [ours["chat_id"]]
        if age == "auto":
            async with agent.listen(resource_subscriptions=[f"appeal://{ours['appeal_id']}"]):
                pass
            with pytest.raises(MCPError, match="This token is for the appeal"):
                async with agent.listen(resource_subscriptions=[f"appeal://{theirs['appeal_id']}"]):
                    pass
