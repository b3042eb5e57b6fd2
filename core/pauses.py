"""Which conversations a person has taken over, as channels know it: the AI is silent there.

The truth is a table of the orchestrator (orchestrator/pauses.py), which writes each change here after its
transaction and mends what a crash left out. A version keeps old news from replacing newer ones.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from core.auth import speaks_now
from core.clock import Clock
from core.echoes import storage_errors
from core.errors import ConversationPaused
from core.ids import ChatId
from core.keys import Keys
from core.operations import Operation
from core.scripts import load_script

#: A pause that is over is remembered so long, for news of it that come late.
_KEEP_MS = 24 * 3600 * 1000
_OVER, _ENDLESS = 0, -1


@dataclass(frozen=True, slots=True)
class PauseState:
    """What channels are told. `until_ms`: Unix ms, None when it does not end by itself, 0 when it is over."""

    channel: str
    account: str
    chat_id: str
    version: int
    until_ms: int | None


class Pauses:
    """Over all replicas, in Redis. Raises StorageDown.

    `name_of` gives the one name of a chat that its vendor takes under several.
    """

    def __init__(
        self, redis: Redis, keys: Keys, clock: Clock, *, name_of: Callable[[ChatId], ChatId] | None = None
    ) -> None:
        self._redis = redis
        self._keys = keys
        self._clock = clock
        self._name_of = name_of
        self._set = load_script(redis, "pause_set")

    async def tell(self, state: PauseState) -> None:
        """Let every channel know; what is older than what they know changes nothing."""
        key = self._keys.paused(state.channel, state.account, state.chat_id)
        until = _ENDLESS if state.until_ms is None else state.until_ms
        ends = max(until, self._clock.now_ms())
        keep = "" if until == _ENDLESS else str(ends - self._clock.now_ms() + _KEEP_MS)
        with storage_errors():
            await self._set(keys=[key], args=[state.version, until, keep])

    async def refuse(self, channel: str, account: str, chat_id: str) -> None:
        """ConversationPaused while a person has the chat."""
        name = self._name_of(ChatId(chat_id)) if self._name_of else chat_id
        key = self._keys.paused(channel, account, name)
        with storage_errors():
            stored = await self._redis.hget(key, "until")
        until = int(stored) if stored else _OVER
        if until == _ENDLESS or until > self._clock.now_ms():
            raise ConversationPaused(channel=channel)

    def guarding(self, channel: str, operation: Operation, names: Callable[[str], str]) -> Operation:
        """The same operation, refused to the AI in a chat that a person has; it has a chat and an account.

        `names` gives the account's own name for the one that a caller wrote.
        """

        async def ask(given: Mapping[str, Any]) -> None:
            if speaks_now() != "operator":
                await self.refuse(channel, names(given["account"]), given["chat_id"])

        return operation.preceded_by(ask)
