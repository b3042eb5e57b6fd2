"""A key does what its mode and scopes allow, at every door, and is shown nothing else."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any, get_args

import httpx
import httpx2
import pytest
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp.types import TextContent
from pydantic import BaseModel, Field, SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core.app import ServiceParts, build_app, build_server
from core.auth import Caller, KeyRing, current_caller
from core.call import Call
from core.errors import Rejected
from core.observability import Metrics
from core.operations import Operation, Risk
from core.permission import CONFIRMED, refusal
from core.resources import ResourceOf

URL = "http://127.0.0.1:8765"
RISKS: Sequence[Risk] = get_args(Risk)
READS = {"read", "status", "export"}
#: What each key may use of a shop that has one operation of every risk, and a read that needs another scope.
MAY: Mapping[str, set[str]] = {
    "all:operator": {*RISKS, "export"},
    "usual:agent": {*RISKS, "export"},
    "looks:agent:read_only": READS,
    "looks2:operator:read_only:read": {"read", "status"},
    "answers:agent:guarded:read+answer": {"read", "status", "work", "answer"},
    "mailer:agent:full:send": {"send", "bulk"},
    "manages:operator:full:manage": {"change", "redirect", "delete", "erase", "export"},
    "blind:agent:read_only:answer": set(),
}


class Done(BaseModel):
    """What was done."""

    what: str


class Shop:
    """One operation of each risk, behind every door; `asked` is what was to be confirmed."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.asked: list[tuple[str, str, Mapping[str, Any]]] = []
        self.operations = [self._operation(risk, risk) for risk in RISKS]
        self.operations.append(self._operation("export", "read", needs="manage"))
        self.parts = ServiceParts(
            name="shop",
            title="Shop",
            instructions="Sell.",
            operations=self.operations,
            keys=KeyRing.parse(SecretStr(",".join(f"{name}={key(name)}" for name in MAY))),
            metrics=Metrics(),
            health=self._nothing,
            info=self._nothing,
            lifespan=self._lifespan,
            resources=[ResourceOf(f"shop://{one.name}", one) for one in self.operations if one.name in READS],
            closed_routes=[Route("/api/stream", self._stream)],
            confirm=self._confirm,
        )
        self.app: Starlette = build_app(self.parts)

    def _operation(self, name: str, risk: Risk, **more: Any) -> Operation:
        async def run(times: Annotated[int, Field(ge=1, description="How often")] = 1) -> Done:
            """Do it."""
            self.ran.append(name)
            return Done(what=name)

        return Operation(name, name, "POST", f"/api/{name}", run, risk, **more)

    async def _confirm(self, call: Call, token: str) -> None:
        self.asked.append((call.caller.name, call.operation.name, dict(call.given)))
        if call.given["times"] > 1:
            raise Rejected("Not so often.")

    async def _stream(self, _: Request) -> Response:
        return Response("what is kept")

    async def _nothing(self) -> Mapping[str, Any]:
        return {}

    @asynccontextmanager
    async def _lifespan(self) -> AsyncIterator[None]:
        yield

    @asynccontextmanager
    async def rest(self, named: str) -> AsyncIterator[httpx.AsyncClient]:
        """A program with this key."""
        transport = httpx.ASGITransport(app=self.app)
        async with httpx.AsyncClient(
            transport=transport, base_url=URL, headers={"X-API-Key": key(named)}
        ) as http:
            yield http

    @asynccontextmanager
    async def model(self, named: str) -> AsyncIterator[Client]:
        """A model's host with this key."""
        transport, headers = httpx2.ASGITransport(app=self.app), {"Authorization": f"Bearer {key(named)}"}
        async with (
            self.app.router.lifespan_context(self.app),
            httpx2.AsyncClient(transport=transport, headers=headers) as http,
            Client(streamable_http_client(f"{URL}/mcp", http_client=http)) as client,
        ):
            yield client


def key(named: str) -> str:
    return f"the-key-of-{named.partition(':')[0]}-0123"


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.mark.promise("modes")
@pytest.mark.promise("scopes")
@pytest.mark.parametrize("named", MAY)
async def test_a_route_serves_those_who_may_use_it(shop: Shop, named: str) -> None:
    async with shop.rest(named) as http:
        answers = {one.name: await http.post(one.path) for one in shop.operations}

    assert {name for name, answer in answers.items() if answer.status_code == 200} == MAY[named]
    assert set(shop.ran) == MAY[named]
    for name in answers.keys() - MAY[named]:
        said = answers[name].json()
        assert (answers[name].status_code, said["code"], said["retryable"]) == (403, "forbidden", False)
        assert named.partition(":")[0] in said["detail"]
        assert "Nothing was done" in said["what_to_do"]


@pytest.mark.promise("modes")
@pytest.mark.promise("scopes")
@pytest.mark.parametrize("named", MAY)
async def test_a_tool_serves_those_who_may_use_it_and_is_listed_to_them_alone(shop: Shop, named: str) -> None:
    async with shop.model(named) as model:
        listed = {tool.name for tool in (await model.list_tools()).tools}
        results = {one.name: await model.call_tool(one.name, {}) for one in shop.operations}

    assert listed == {name for name, result in results.items() if not result.is_error} == MAY[named]
    assert set(shop.ran) == MAY[named]
    for name in results.keys() - MAY[named]:
        [said] = results[name].content
        assert isinstance(said, TextContent)
        assert "forbidden: " in said.text
        assert "Nothing was done" in said.text


@pytest.mark.promise("scopes")
@pytest.mark.parametrize("named", MAY)
async def test_a_resource_is_read_by_those_who_may_and_listed_to_them_alone(shop: Shop, named: str) -> None:
    may = MAY[named] & READS if "read" in MAY[named] else set()
    async with shop.model(named) as model:
        listed = {one.name for one in (await model.list_resources()).resources}
        read = {name for name in READS if await _reads(model, f"shop://{name}")}

    assert listed == MAY[named] & READS
    assert read == may
    assert set(shop.ran) == may


async def _reads(model: Client, uri: str) -> bool:
    try:
        return bool((await model.read_resource(uri)).contents)
    except MCPError as error:
        if "forbidden: " not in str(error):
            raise
        return False


@pytest.mark.promise("scopes")
async def test_who_may_not_look_may_not_watch(shop: Shop) -> None:
    """The name of what changed may tell a chat."""
    async with started_by(shop, Caller("stdio", scopes=frozenset({"send"}))) as model:
        with pytest.raises(MCPError, match="forbidden: subscriptions/listen needs the scope read"):
            async with asyncio.timeout(10), model.listen(resource_subscriptions=["shop://read"]):
                pass


@pytest.mark.promise("scopes")
@pytest.mark.parametrize("named", MAY)
async def test_a_route_beside_the_operations_is_for_those_who_may_look(shop: Shop, named: str) -> None:
    async with shop.rest(named) as http:
        answer = await http.get("/api/stream")

    may = "read" in MAY[named]
    assert answer.status_code == (200 if may else 403)
    assert ("what is kept" in answer.text) is may


@pytest.mark.promise("modes")
async def test_over_stdio_the_mode_is_that_of_the_setting(shop: Shop) -> None:
    """The host that started us has no key; core/serve.py sets its caller."""
    async with started_by(shop, Caller("stdio", mode="read_only")) as model:
        assert {tool.name for tool in (await model.list_tools()).tools} == READS
        assert (await model.call_tool("send", {})).is_error

    assert shop.ran == []


@asynccontextmanager
async def started_by(shop: Shop, caller: Caller) -> AsyncIterator[Client]:
    """A model's host that started the service: the caller is set before the server runs."""
    token = current_caller.set(caller)
    try:
        async with Client(build_server(shop.parts)) as model:
            yield model
    finally:
        current_caller.reset(token)


@pytest.mark.promise("modes")
async def test_what_cannot_be_taken_back_is_confirmed_for_guarded_callers_alone(shop: Shop) -> None:
    async with shop.rest("all:operator") as operator, shop.rest("usual:agent") as agent:
        for http in (operator, agent):
            for one in shop.operations:
                assert (await http.post(one.path)).status_code == 200

    assert [name for _, name, _ in shop.asked] == [risk for risk in RISKS if risk in CONFIRMED]
    assert {(who, given["times"]) for who, _, given in shop.asked} == {("usual", 1)}


@pytest.mark.promise("modes")
async def test_what_is_not_confirmed_does_not_run(shop: Shop) -> None:
    async with shop.rest("usual:agent") as http, shop.model("usual:agent") as model:
        answer = await http.post("/api/bulk", json={"times": 2})
        assert (await model.call_tool("erase", {"times": 2})).is_error

    assert (answer.status_code, answer.json()["code"]) == (422, "rejected")
    assert shop.ran == []


@pytest.mark.promise("modes")
async def test_wrong_arguments_are_nobodys_to_confirm(shop: Shop) -> None:
    async with shop.rest("usual:agent") as http:
        assert (await http.post("/api/bulk", json={"times": 0})).status_code == 422

    assert shop.asked == []


@pytest.mark.parametrize(
    ("caller", "said"),
    [
        (Caller("anna", mode="read_only"), "bulk changes something, and the key of anna is read_only."),
        (
            Caller("bot", scopes=frozenset({"read", "answer"})),
            "bulk needs the scope send, and the key of bot has answer, read.",
        ),
        (Caller("bot"), ""),
    ],
)
def test_a_refusal_says_what_is_missing(shop: Shop, caller: Caller, said: str) -> None:
    [bulk] = [one for one in shop.operations if one.name == "bulk"]

    assert refusal(caller, bulk) == said
