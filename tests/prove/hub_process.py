"""One orchestrator as the product composes it; the model calls its loops' work step by step."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

import httpx
from pydantic import BaseModel, SecretStr

from core.auth import Caller, Role, current_caller
from core.chats import Chats
from core.dispatcher import Dispatcher
from core.errors import OutcomeUnknown
from core.keys import Keys
from orchestrator.app import Orchestrator
from orchestrator.channels import Channels
from orchestrator.clockwork import Clockwork
from orchestrator.relay import Relay
from orchestrator.settings import OrchestratorSettings
from tests.prove.channel_process import ChannelProcess
from tests.prove.fuse import Fuse
from tests.prove.fused_postgres import fused
from tests.prove.fused_redis import FusedRedis
from tests.prove.messenger import House
from tests.prove.stage import Stage

SETTINGS = OrchestratorSettings(
    database_url=SecretStr("postgresql://unused"),
    channel_api_key=SecretStr("unused-unused-unused"),
    delivery_attempts=4,
    operator_pause_seconds=200,
    hand_off_seconds=200,
    reopen_seconds=400,
    auto_close_seconds=700,
)
#: What is drawn for each example.
COLLECTING = SETTINGS.model_copy(update={"in_flight": "collect"})
Finds = Callable[[House], Awaitable[ChannelProcess]]


class WiredChannels(Channels):
    """The client of the channels; its calls reach their processes in this one, over a line that may break."""

    def __init__(self, names: Mapping[str, str], fuse: Fuse, find: Finds) -> None:
        super().__init__(names, cast("httpx.AsyncClient", None))
        self._fuse = fuse
        self._find = find

    async def info(self, channel: str) -> dict[str, Any]:
        """What a channel tells of itself."""
        return {"capabilities": {"parts": []}, "accounts": {"default": {}}}

    async def _call(
        self, method: str, channel: str, path: str, *, timeout: float = 0, **sent: Any
    ) -> dict[str, Any]:
        body = sent["json"]
        process = await self._find((channel, body["account"]))
        assert path == "/api/messages/send"

        async def call() -> dict[str, Any]:
            ids = await process.send(body["chat_id"], body["text"], body["idempotency_key"])
            return {"message_ids": ids}

        return await self._fuse.around("http send", call, lost=OutcomeUnknown("No answer.", channel=channel))


class HubProcess:
    """Its parts are made by the product's own `Orchestrator`."""

    def __init__(self, stage: Stage, find: Finds, *, collects: bool) -> None:
        redis, clock = stage.redis, stage.clock
        self.fuse = Fuse(stage.log)
        self._clock = clock
        made = Orchestrator(
            COLLECTING if collects else SETTINGS,
            redis=FusedRedis(redis.pool, self.fuse, lambda: redis.away),
            pool=fused(stage.pool, self.fuse),
            channels=WiredChannels(dict.fromkeys(("avito", "vk", "telegram"), ""), self.fuse, find),
            clock=clock,
            keys=Keys(),
        )
        made._gathering._patience = 0.0  # a batch in work is waited for in real time
        leaving = made._departures
        self.incoming, self.listed, self.tickets = made._incoming, leaving._listed, leaving._tickets
        self._batches = made._dispatcher(made._incoming, made._debouncer.work, 10)
        self._door, self._senders = leaving.dispatchers
        source, bell = made._keys.tickets.source, made._outbox_bell
        self._relay = Relay(made._pool, made._redis, source, bell=bell, clock=clock)
        self._pause_news = made._pause_news
        self._clockwork = Clockwork(made._pool, SETTINGS.rules, turns_bell=made._turns_bell, clock=clock)
        self._operations = {one.name: one.run for one in made._hub.operations()}

    async def ask(self, operation: str, **given: Any) -> dict[str, Any]:
        """What an agent asks of the hub; the answer as JSON."""
        return await self._ask("agent", operation, given)

    async def order(self, operation: str, **given: Any) -> dict[str, Any]:
        """What an operator asks of it."""
        return await self._ask("operator", operation, given)

    async def _ask(self, role: Role, operation: str, given: dict[str, Any]) -> dict[str, Any]:
        current_caller.set(Caller(f"somebody, {role}", role))  # of this task alone
        answer: BaseModel = await self._operations[operation](**given)
        return answer.model_dump(mode="json")

    async def collect(self, chats: Chats[Any]) -> None:
        """As the collector's loop does: also one that was woken and died."""
        while (await chats.collect(self._clock.now_ms())).more:
            pass

    async def gather(self, most: int = 10) -> None:
        """Make turns of the batches that are due."""
        await self._serve(self._batches, most)

    async def accept_listed(self) -> None:
        """Take what was pushed to queue:outgoing into the outbox."""
        await self.collect(self.listed)
        await self._serve(self._door)

    async def relay(self) -> None:
        """Give tickets to what may go."""
        await self._relay.push_all()

    async def send(self) -> None:
        """Send what has a ticket."""
        await self.collect(self.tickets)
        await self._serve(self._senders)

    async def timers(self) -> None:
        """What time does to cases, and the news of pauses."""
        await self._clockwork.sweep()
        await self._pause_news.tell_all()

    async def work(self) -> None:
        """One round of every loop."""
        await self.collect(self.incoming)
        await self.gather()
        await self.leave()
        await self.timers()

    async def leave(self) -> None:
        """One round of the loops that send."""
        await self.accept_listed()
        await self.relay()
        await self.send()

    async def _serve(self, dispatcher: Dispatcher, most: int = 10) -> None:
        taken = await dispatcher._chats.take(self._clock.now_ms(), most)
        for lease in taken.leases:
            await dispatcher._serve(lease)
