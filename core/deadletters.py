"""Dead letters: what nobody could read or deliver is kept whole, with the reason, until someone looks."""

import base64
import secrets
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict
from redis.asyncio import Redis

from core.clock import Clock, SystemClock
from core.keys import Keys, QueueKeys
from core.scripts import load_script


class DeadLetter(BaseModel):
    """One letter: the payload as text, or in base64 when it is not UTF-8. Ids sort by time."""

    model_config = ConfigDict(frozen=True)

    id: str
    at: str
    door: str
    reason: str
    detail: str = ""
    payload: str | None = None
    payload_base64: str | None = None

    @property
    def raw(self) -> bytes:
        """The payload as it came."""
        if self.payload_base64 is not None:
            return base64.b64decode(self.payload_base64)
        return (self.payload or "").encode()


def write_letter(door: str, reason: str, detail: str, payload: bytes, now_ms: int) -> DeadLetter:
    """A letter dated `now_ms` (Unix ms); not stored yet."""
    text, encoded = _as_text(payload)
    return DeadLetter(
        id=f"{now_ms:012x}-{secrets.token_hex(6)}",
        at=datetime.fromtimestamp(now_ms / 1000, UTC).isoformat(),
        door=door,
        reason=reason,
        detail=detail,
        payload=text,
        payload_base64=encoded,
    )


def door_of(keys: QueueKeys) -> str:
    """The door whose letters an engine writes."""
    return keys.dead.rpartition("dead:")[2]


class DeadLetters:
    """The letters of all doors: incoming, outgoing, webhook:{channel}."""

    def __init__(self, redis: Redis, keys: Keys, clock: Clock | None = None) -> None:
        self._redis = redis
        self._keys = keys
        self._clock = clock or SystemClock()
        self._replay = load_script(redis, "replay")

    async def bury(self, door: str, reason: str, detail: str, payload: bytes) -> str:
        """Keep the payload; the letter's id."""
        letter = write_letter(door, reason, detail, payload, self._clock.now_ms())
        await self._redis.hset(self._keys.dead(door), letter.id, letter.model_dump_json())
        return letter.id

    async def list(self, door: str, limit: int = 100) -> list[DeadLetter]:
        """The newest letters first."""
        key = self._keys.dead(door)
        ids = sorted(await self._redis.hkeys(key), reverse=True)[:limit]
        stored = await self._redis.hmget(key, ids) if ids else []
        return [DeadLetter.model_validate_json(letter) for letter in stored if letter is not None]

    async def get(self, door: str, letter_id: str) -> DeadLetter | None:
        """One letter, whole."""
        stored = await self._redis.hget(self._keys.dead(door), letter_id)
        return None if stored is None else DeadLetter.model_validate_json(stored)

    async def replay(self, door: str, letter_id: str, queue: str) -> bool:
        """Put the payload back on `queue` and drop the letter, in one step; False when there is no letter."""
        letter = await self.get(door, letter_id)
        if letter is None:
            return False
        keys = [self._keys.dead(door), queue]
        return bool(await self._replay(keys=keys, args=[letter_id, letter.raw]))

    async def discard(self, door: str, letter_id: str) -> bool:
        """Drop a letter for good; False when there is none."""
        return bool(await self._redis.hdel(self._keys.dead(door), letter_id))

    async def count(self, door: str) -> int:
        """How many letters lie there."""
        return await self._redis.hlen(self._keys.dead(door))


def _as_text(payload: bytes) -> tuple[str | None, str | None]:
    try:
        return payload.decode(), None
    except UnicodeDecodeError:
        return None, base64.b64encode(payload).decode()
