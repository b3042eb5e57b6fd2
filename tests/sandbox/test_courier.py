import asyncio

import httpx

from sandbox.courier import AT_ONCE, Courier, Policy, Push
from sandbox.faults import Faults
from sandbox.timing import Timing
from tests.sandbox.world import HOOK, FakeTime


async def test_a_subscriber_that_never_answers_is_left_after_the_deadline() -> None:
    time, given_up = FakeTime(), asyncio.Event()

    async def hang(_: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    async def sleep(_: float) -> None:
        given_up.set()
        await asyncio.Event().wait()

    async with httpx.AsyncClient(transport=httpx.MockTransport(hang)) as http:
        courier = Courier(http, Timing(time.now, sleep), Policy(timeout=0.01), Faults)
        running = asyncio.ensure_future(courier.run())
        courier.send(Push("wh-1", HOOK, "u2i-1", "m-1", "text", b"{}", {}))
        await given_up.wait()
        running.cancel()
        await asyncio.wait([running])

    [attempt] = courier.log()
    assert (attempt["status"], attempt["error"]) == (None, "no answer within 0.01 s")


async def test_what_waits_for_a_connection_does_not_use_up_the_deadline() -> None:
    """After an outage thousands go out again: as many at once as a vendor has connections, others later."""
    time, most, under_way, answered = FakeTime(), 0, 0, 0
    gate, full, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def answers_later(_: httpx.Request) -> httpx.Response:
        nonlocal most, under_way, answered
        under_way += 1
        most = max(most, under_way)
        if under_way == AT_ONCE:
            full.set()
        await gate.wait()
        under_way, answered = under_way - 1, answered + 1
        if answered == 5 * AT_ONCE:
            done.set()
        return httpx.Response(200)

    async with httpx.AsyncClient(transport=httpx.MockTransport(answers_later)) as http:
        courier = Courier(http, Timing(time.now, time.sleep), Policy(timeout=10), Faults)
        running = asyncio.ensure_future(courier.run())
        for number in range(5 * AT_ONCE):
            courier.send(Push(f"wh-{number}", HOOK, f"u2i-{number}", f"m-{number}", "text", b"{}", {}))
        await full.wait()
        gate.set()
        await done.wait()
        running.cancel()
        await asyncio.wait([running])

    assert most == AT_ONCE
    assert {attempt["status"] for attempt in courier.log()} == {200}
