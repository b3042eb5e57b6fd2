"""Whatever needs a yes asks for one: every such operation of every server, over REST and as a tool."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, get_args
from urllib.parse import quote

import httpx
import pytest
from mcp import Client
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from core.app import ServiceParts, build_app, build_server
from core.audit import NO_AUDIT
from core.auth import Caller, KeyRing
from core.clock import SystemClock
from core.confirmation import Confirmations
from core.operations import Operation
from tests.integration.test_confirmation import AGENT, URL, called_by, token_of
from tests.servers import SERVERS
from tests.unit.test_confirmation import KEYS, Marks

#: A send only to whom has not written first; nobody has here.
NEED_A_YES = {"redirect", "send", "bulk", "delete", "erase"}
#: Among others.
AT_A_CHANNEL = {"send_message", "send_image", "send_bulk", "subscribe_webhook", "unsubscribe_webhook"}
FURTHER = {
    "avito": {"delete_message", "block_user"},
    "telegram": {"send_file", "delete_message", "ask_for_phone"},
    "hub": {"resend_delivery", "change_dead_letter", "change_dead_letters", "erase_client"},
}


class Done(BaseModel):
    """Nothing."""


class Recorded:
    """A server as production makes it, whose operations do nothing but stand in `ran`."""

    def __init__(self, made: ServiceParts) -> None:
        self.ran: list[str] = []
        self.operations = [self._recorded(one) for one in made.operations]
        self.parts = replace(
            made,
            operations=self.operations,
            keys=KeyRing.parse(SecretStr(f"bot={AGENT}")),
            confirm=Confirmations(made.name, KEYS, SystemClock(), Marks()),
            audit=NO_AUDIT,
            profile="all",
        )

    def _recorded(self, operation: Operation) -> Operation:
        async def run(**_: Any) -> BaseModel:
            self.ran.append(operation.name)
            return Done()

        return replace(operation.carried_out_by(run), answers=None)

    @property
    def asking(self) -> Sequence[Operation]:
        """Those that need a yes."""
        return [one for one in self.operations if one.risk in NEED_A_YES]


def given(operation: Operation) -> dict[str, Any]:
    """A call of it, made of the examples that its arguments show."""
    fields = operation.arguments.model_fields.items()
    return {name: _example(field) for name, field in fields if field.is_required()}


def _example(field: FieldInfo) -> Any:
    return field.examples[0] if field.examples else get_args(field.annotation)[0]


@pytest.mark.promise("confirmed")
@pytest.mark.parametrize("name", SERVERS)
async def test_a_route_asks_and_runs_once_after_a_yes(name: str) -> None:
    made = Recorded(SERVERS[name]())
    usual = {"send_message", "send_bulk"} if name == "hub" else AT_A_CHANNEL
    assert {one.name for one in made.asking} >= usual | FURTHER.get(name, set())
    transport = httpx.ASGITransport(app=build_app(made.parts, mcp=False))
    async with httpx.AsyncClient(transport=transport, base_url=URL, headers={"X-API-Key": AGENT}) as http:
        for one in made.asking:
            body = given(one)
            path = one.path.format(**{key: quote(str(value), safe="") for key, value in body.items()})
            said = {key: value for key, value in body.items() if f"{{{key}}}" not in one.path}
            first = await http.post(path, json=said)
            assert (one.name, first.status_code, made.ran) == (one.name, 428, [])
            again = {**said, "confirm_token": first.json()["confirm_token"]}
            answers = [(await http.post(path, json=again)).status_code for _ in range(2)]
            assert (answers, made.ran) == ([200, 428], [one.name])
            made.ran.clear()


@pytest.mark.promise("confirmed")
@pytest.mark.parametrize("name", SERVERS)
async def test_a_tool_asks(name: str) -> None:
    made = Recorded(SERVERS[name]())
    tools = [one for one in made.asking if one.tool]
    with called_by(Caller("bot")):
        async with Client(build_server(made.parts)) as model:
            for one in tools:
                token = token_of(await model.call_tool(one.name, given(one)))
                assert re.fullmatch(r"\d+\.[0-9a-f]{16}\..{43}", token)

    assert tools
    assert made.ran == []
