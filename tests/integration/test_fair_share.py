"""An account whose messenger makes everybody wait does not hold up the others."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from core.chats import Lease
from orchestrator.fair_share import FairShare
from tests.integration.chats_fixture import Line, outgoing_line

WORKERS = 10


class Workers:
    """The work of a dispatcher: chats of accounts in `slow` wait for `go`."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.slow = {"shop"}
        self.go = asyncio.Event()
        self.served: list[str] = []
        self.waiting = 0
        self.share = FairShare(line.chats, self._work, workers=(WORKERS, 0), clock=line.clock)

    async def _work(self, lease: Lease) -> None:
        account = lease.member.partition(":")[2].partition("@")[0]
        self.served.append(lease.member)
        if account == "broken":
            raise OSError("no way")
        if account in self.slow:
            self.waiting += 1
            await self.go.wait()
            self.waiting -= 1
        await self.line.ack_all(lease)

    async def queue(self, account: str, *chats: int) -> None:
        for chat in chats:
            message = {"channel": "avito", "account": account, "external_chat_id": f"c{chat}", "text": "x"}
            await self.line.arrive(message)

    async def start(self, group: asyncio.TaskGroup) -> int:
        """Work on all that is due; how many chats are in work afterwards."""
        unfinished = {group.create_task(self.share.work(lease)) for lease in await self.line.take(WORKERS)}
        before = self.waiting
        await asyncio.sleep(0)  # every work begins before it first waits
        while len(unfinished) > self.waiting - before:
            _, unfinished = await asyncio.wait(unfinished, return_when=asyncio.FIRST_COMPLETED)
        return len(unfinished)


@asynccontextmanager
async def workers(redis_url: str) -> AsyncIterator[Workers]:
    async with outgoing_line(redis_url) as line:
        yield Workers(line)


async def test_a_waiting_account_leaves_workers_to_others(redis_url: str) -> None:
    async with workers(redis_url) as at, asyncio.TaskGroup() as group:
        await at.queue("shop", *range(WORKERS))
        waiting = await at.start(group)
        await at.queue("second", 1, 2)
        await at.start(group)
        at.go.set()

        assert waiting == WORKERS // 2
        assert at.served[-2:] == ["avito:second@c1", "avito:second@c2"]


async def test_what_was_put_off_is_done_soon_and_whole(redis_url: str) -> None:
    async with workers(redis_url) as at:
        await at.queue("shop", *range(WORKERS))
        async with asyncio.TaskGroup() as group:
            await at.start(group)
            early = await at.line.take()
            at.go.set()
        await at.line.pass_time(2_000)
        async with asyncio.TaskGroup() as group:
            await at.start(group)

        assert early == []
        assert sorted(at.served) == [f"avito:shop@c{chat}" for chat in range(WORKERS)]
        assert await at.line.survey() == (0, set())


@pytest.mark.parametrize(("took", "pause"), [(0, 100), (700, 700), (9_000, 2_000)])
async def test_a_chat_is_put_off_for_as_long_as_the_last_work_took(
    redis_url: str, took: int, pause: int
) -> None:
    async with workers(redis_url) as at:
        await at.queue("shop", 100)
        async with asyncio.TaskGroup() as group:
            await at.start(group)
            at.line.clock.move(took)
            at.go.set()
        at.go.clear()
        await at.queue("shop", *range(WORKERS))
        async with asyncio.TaskGroup() as group:
            await at.start(group)
            due = await at.line.chats.next_due()
            at.go.set()

        assert due == at.line.now + pause


async def test_work_that_breaks_gives_its_worker_back(redis_url: str) -> None:
    async with workers(redis_url) as at:
        for chat in range(WORKERS):
            await at.queue("broken", chat)
            [lease] = await at.line.take()
            with pytest.raises(OSError, match="no way"):
                await at.share.work(lease)

        assert len(at.served) == WORKERS


async def test_what_cannot_be_read_is_worked_on_all_the_same(redis_url: str) -> None:
    """The work buries it."""
    async with workers(redis_url) as at:
        at.slow = set()
        await at.queue("second", 1)
        [lease] = await at.line.take()
        await at.share.work(Lease(lease.member, lease.token, 0, 0, 0, (b"not json",)))

        assert at.served == [lease.member]
