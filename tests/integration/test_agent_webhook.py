"""The agent's webhook: signed, repeated by the ladder under one id, silent when nobody needs it any more."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook

from core.auth import Caller, current_caller
from core.errors import Forbidden
from core.operations import Operation
from orchestrator.agent_webhook import LADDER
from tests.integration.test_hub import LEASE, lease
from tests.integration.waking_fixture import SECRET, URL, Wakes, waking


@pytest.fixture
async def wakes(redis_url: str, database_url: str) -> AsyncIterator[Wakes]:
    async with waking(redis_url, database_url) as made:
        yield made


@pytest.mark.promise("signed-webhook")
async def test_the_published_library_verifies_our_calls(wakes: Wakes) -> None:
    """Its clock is the machine's, so the signature is made at this time."""
    wakes.clock.move(int(datetime.now(UTC).timestamp() * 1000) - wakes.clock.now_ms())
    [turn] = await wakes.customer("a")
    await wakes.webhook().tell_all()
    [call] = wakes.receiver.calls

    told = Webhook(SECRET).verify(call.content.decode(), dict(call.headers))

    assert told == {
        "type": "turn.ready",
        "timestamp": wakes.agents.here.now.isoformat(),
        "data": {"turn_id": turn, "channel": "avito", "account": "default"},
    }
    assert (str(call.url), call.method, call.headers["content-type"]) == (URL, "POST", "application/json")
    assert int(call.headers["webhook-timestamp"]) == wakes.clock.now_ms() // 1000


async def test_an_agent_that_was_called_takes_the_turn_by_its_id(wakes: Wakes) -> None:
    await wakes.customer("a", "b")
    await wakes.webhook().tell_all()

    for call in wakes.receiver.calls:
        turn_id = json.loads(call.content)["data"]["turn_id"]
        assert (await wakes.agents.turn(turn_id=turn_id))["turn_id"] == turn_id


@pytest.mark.promise("retry-ladder")
async def test_a_call_that_fails_is_repeated_by_the_ladder_under_one_id(wakes: Wakes) -> None:
    """As long as the turn waits; each attempt is signed at its own time."""
    await wakes.customer("a")
    webhook = wakes.webhook()
    wakes.receiver.will(*[500] * 8)
    await webhook.tell_all()
    for number, pause in enumerate([*LADDER, LADDER[-1]], start=1):
        await wakes.pass_time(pause - 1)
        await webhook.tell_all()
        assert len(wakes.receiver.calls) == number, "too early"
        await wakes.pass_time(1)
        await webhook.tell_all()
        assert len(wakes.receiver.calls) == number + 1, "too late"

    assert len(set(wakes.receiver.ids)) == 1
    assert len({call.headers["webhook-timestamp"] for call in wakes.receiver.calls}) == 8
    assert len({call.content for call in wakes.receiver.calls}) == 1


@pytest.mark.promise("retry-ladder")
@pytest.mark.parametrize("end", ["answered", "leased", "acknowledged"])
async def test_nobody_is_called_about_a_turn_that_waits_no_longer(wakes: Wakes, end: str) -> None:
    await wakes.customer("a")
    webhook = wakes.webhook()
    wakes.receiver.will(204 if end == "acknowledged" else 500)
    await webhook.tell_all()
    if end != "acknowledged":
        turn = await wakes.agents.turn()
        if end == "answered":
            await wakes.agents.reply(turn)
    await wakes.pass_time(LADDER[0] + 1)
    await webhook.tell_all()

    assert len(wakes.receiver.calls) == 1


@pytest.mark.promise("retry-ladder")
@pytest.mark.parametrize("end", ["lease", "release", "growth"])
async def test_a_turn_that_is_offered_anew_is_told_under_a_new_id(wakes: Wakes, end: str) -> None:
    await wakes.customer("a")
    webhook = wakes.webhook()
    await webhook.tell_all()
    if end == "growth":
        await wakes.customer("a")
    else:
        turn = await wakes.agents.turn()
        if end == "release":
            await wakes.agents.call("release_turn", **lease(turn))
        else:
            await wakes.pass_time(LEASE + 1)
    await webhook.tell_all()

    assert len(set(wakes.receiver.ids)) == 2


@pytest.mark.promise("no-forgotten-turn")
async def test_a_process_that_dies_during_a_call_leaves_it_to_another_under_the_same_id(wakes: Wakes) -> None:
    class Killed(BaseException):
        """Nothing that follows is done."""

    ids: list[str] = []

    def dies(request: httpx.Request) -> httpx.Response:
        ids.append(request.headers["webhook-id"])
        raise Killed

    await wakes.customer("a")
    with pytest.raises(Killed):
        await wakes.webhook(dies).tell_all()
    await wakes.pass_time(60)
    await wakes.webhook().tell_all()

    assert wakes.receiver.ids == ids


@pytest.mark.promise("retry-ladder")
@pytest.mark.parametrize(
    ("asked", "waits"),
    [
        ("90", 90.0),
        ("1", 5.0),
        ("Fri, 15 Jan 2027 08:02:00 GMT", 120.0),
        ("nonsense", 5.0),
        ("999999", 21_600.0),
    ],
)
async def test_what_the_receiver_asks_for_is_the_least_pause(wakes: Wakes, asked: str, waits: float) -> None:
    await wakes.customer("a")
    webhook = wakes.webhook()
    wakes.receiver.will(httpx.Response(429, headers={"Retry-After": asked}))
    await webhook.tell_all()
    await wakes.pass_time(waits - 1)
    await webhook.tell_all()
    assert len(wakes.receiver.calls) == 1
    await wakes.pass_time(2)
    await webhook.tell_all()

    assert len(wakes.receiver.calls) == 2


async def test_gone_disables_the_webhook_until_an_operator_enables_it(wakes: Wakes) -> None:
    await wakes.customer("a")
    webhook = wakes.webhook()
    wakes.receiver.will(410)
    await webhook.tell_all()
    await wakes.customer("b")
    await wakes.pass_time(7200)
    await webhook.tell_all()
    assert len(wakes.receiver.calls) == 1
    state = await _call(wakes, "agent_webhook")
    assert (state["enabled"], state["error"], state["host"]) == (False, "answered 410", "agent.example")

    with pytest.raises(Forbidden):
        await _call(wakes, "enable_agent_webhook", Caller("model"))
    state = await _call(wakes, "enable_agent_webhook", Caller("anna", "operator"))
    await webhook.tell_all()

    assert state["enabled"] is True
    assert len(wakes.receiver.calls) == 3


@pytest.mark.parametrize("answer", [301, 404, 503, httpx.ConnectError("no"), httpx.ReadTimeout("slow")])
async def test_every_failure_is_seen_where_an_operator_looks(wakes: Wakes, answer: Any) -> None:
    """Redirects are not followed: they are failures, too."""
    await wakes.customer("a")
    wakes.receiver.will(answer)
    await wakes.webhook().tell_all()

    state = await _call(wakes, "agent_webhook")
    said = f"answered {answer}" if isinstance(answer, int) else type(answer).__name__
    assert (state["waiting"], state["failing"], state["error"]) == (1, 1, said)
    assert state["failed_at"]
    assert len(wakes.receiver.calls) == 1
    counted = wakes.metrics.registry.get_sample_value
    assert counted("eldoleado_agent_webhook_calls_total", {"outcome": "failed"}) == 1


async def test_a_slow_answer_is_given_up_in_time(wakes: Wakes) -> None:
    """A body that trickles for ever is not waited for: nobody reads it."""
    await wakes.customer("a")

    def endless(_: httpx.Request) -> httpx.Response:
        async def body() -> AsyncIterator[bytes]:
            while True:
                yield b"x"

        return httpx.Response(200, content=body())

    await wakes.webhook(endless).tell_all()

    assert await wakes.notices() == [("webhook", 1, True)]


async def _call(wakes: Wakes, name: str, caller: Caller | None = None) -> dict[str, Any]:
    [operation] = [one for one in wakes.desk.operations() if one.name == name]
    return await _as(caller, operation)


async def _as(caller: Caller | None, operation: Operation) -> dict[str, Any]:
    token = current_caller.set(caller)
    try:
        return (await operation.call({})).model_dump(mode="json")
    finally:
        current_caller.reset(token)
