"""Dead letters: what nobody could read or deliver is kept whole, with the reason, until someone purges it.

A letter waits in `dead:{door}`. Once replayed it lies in `dead:replayed:{door}`, so that a replay repeated
finds it there and does nothing, and so that a payload never exists in a queue alone.
"""

import base64
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict
from redis.asyncio import Redis

from core.clock import Clock, SystemClock
from core.jsontext import UnreadableJSON, read_json
from core.keys import Keys, QueueKeys
from core.registry import CHANNEL_NAMES
from core.scripts import load_script

#: Everywhere a letter can come from.
DOORS = ("incoming", "outgoing", *(f"webhook:{name}" for name in sorted(CHANNEL_NAMES)))

_LONGEST_DETAIL = 1000
_LONGEST_NAME = 512


class DeadLetter(BaseModel):
    """One letter: the payload as text, or in base64 when it is not UTF-8. Ids sort by time.

    What stands before `payload` is read without it (core/lua/letter_heads.lua): the order of the fields is
    part of the format. `account` names the accounts of a webhook, comma separated. `message` is the vendor's
    id of a message, or our id of a delivery. `original` is the payload as it came, once it was edited.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    at: str
    door: str
    reason: str
    detail: str = ""
    channel: str = ""
    account: str = ""
    chat: str = ""
    message: str = ""
    edited_at: str = ""
    edited_by: str = ""
    replayed_at: str = ""
    replayed_by: str = ""
    payload: str | None = None
    payload_base64: str | None = None
    original: str | None = None
    original_base64: str | None = None

    @property
    def raw(self) -> bytes:
        """The payload as it came, or as it was edited."""
        return _as_bytes(self.payload, self.payload_base64)

    @property
    def raw_original(self) -> bytes:
        """The payload as it came."""
        edited = self.original is not None or self.original_base64 is not None
        return _as_bytes(self.original, self.original_base64) if edited else self.raw


class About(BaseModel):
    """What a payload is about, as far as that can be told; for lists and filters, so nothing is refused."""

    model_config = ConfigDict(frozen=True)

    channel: str = ""
    account: str = ""
    chat: str = ""
    message: str = ""


def write_letter(
    door: str, reason: str, detail: str, payload: bytes, now_ms: int, about: About | None = None
) -> DeadLetter:
    """A letter dated `now_ms` (Unix ms); not stored yet."""
    text, encoded = _as_text(payload)
    return DeadLetter(
        id=f"{now_ms:012x}-{secrets.token_hex(6)}",
        at=iso(now_ms),
        door=door,
        reason=reason,
        detail=detail[:_LONGEST_DETAIL],
        **(about or about_message(payload)).model_dump(),
        payload=text,
        payload_base64=encoded,
    )


def about_message(payload: bytes) -> About:
    """What a unified message says of itself, however much of it is wrong."""
    try:
        said = read_json(payload)
    except (UnreadableJSON, RecursionError):
        return About()
    if not isinstance(said, dict):
        return About()
    message = said.get("external_message_id") or said.get("id")
    return About(
        channel=_name(said.get("channel")),
        account=_name(said.get("account")) or "default",
        chat=_name(said.get("external_chat_id")),
        message=_name(message),
    )


def iso(now_ms: int) -> str:
    """Unix ms as ISO 8601, UTC."""
    return datetime.fromtimestamp(now_ms / 1000, UTC).isoformat()


def written_ms(letter_id: str) -> int:
    """When the letter of this id was written, Unix ms; 0 for what is no id of a letter."""
    try:
        return int(letter_id.partition("-")[0], 16)
    except ValueError:
        return 0


def door_of(keys: QueueKeys) -> str:
    """The door whose letters an engine writes."""
    return keys.dead.rpartition("dead:")[2]


class DeadLetters:
    """The letters of all doors: incoming, outgoing, webhook:{channel}.

    `secrets` are ours (a vendor may write one into a body): they are masked before a payload is kept.
    """

    def __init__(
        self, redis: Redis, keys: Keys, clock: Clock | None = None, *, secrets: Iterable[str] = ()
    ) -> None:
        self._redis = redis
        self._keys = keys
        self._clock = clock or SystemClock()
        self._replay = load_script(redis, "replay")

    async def bury(
        self, door: str, reason: str, detail: str, payload: bytes, about: About | None = None
    ) -> str:
        """Keep the payload; the letter's id."""
        letter = write_letter(door, reason, detail, payload, self._clock.now_ms(), about)
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


def _name(value: Any) -> str:
    named = isinstance(value, str | int) and not isinstance(value, bool)
    return str(value)[:_LONGEST_NAME] if named else ""


def _as_text(payload: bytes) -> tuple[str | None, str | None]:
    try:
        return payload.decode(), None
    except UnicodeDecodeError:
        return None, base64.b64encode(payload).decode()


def _as_bytes(text: str | None, encoded: str | None) -> bytes:
    return base64.b64decode(encoded) if encoded is not None else (text or "").encode()
