import asyncio

import httpx

from sandbox.courier import Courier, Policy, Push
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
