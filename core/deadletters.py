"""Dead letters: what nobody could read or deliver is kept whole, with the reason, until someone purges it.

A letter waits in `dead:{door}`. Once replayed it lies in `dead:replayed:{door}`, so that a replay repeated
finds it there and does nothing, and so that a payload never exists in a queue alone.
"""

import base64
import hashlib
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict
from redis.asyncio import Redis

from core.clock import Clock, SystemClock
from core.jsontext import UnreadableJSON, read_json
from core.keys import Keys, LetterState, QueueKeys
from core.masking import Masking
from core.registry import CHANNEL_NAMES
from core.scripts import load_script

#: Everywhere a letter can come from.
DOORS = ("incoming", "outgoing", *(f"webhook:{name}" for name in sorted(CHANNEL_NAMES)))

STATES: tuple[LetterState, ...] = ("waiting", "replayed")
_EVERYWHERE = tuple((state, door) for state in STATES for door in DOORS)
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
    def accounts(self) -> tuple[str, ...]:
        """The accounts that it names."""
        return tuple(filter(None, self.account.split(",")))

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
        **(about or _about(door, payload)).model_dump(),
        payload=text,
        payload_base64=encoded,
    )


def _about(door: str, payload: bytes) -> About:
    kind, _, channel = door.partition(":")
    return About(channel=channel) if kind == "webhook" else about_message(payload)


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


@dataclass(frozen=True, slots=True)
class Found:
    """A letter as it was read; `digest` tells whether it is still the same when it is changed."""

    letter: DeadLetter
    state: LetterState
    digest: str
    size: int


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
        self._masked = Masking(secrets)
        self._edit = load_script(redis, "letter_edit")
        self._replay = load_script(redis, "letter_replay")

    async def bury(
        self, door: str, reason: str, detail: str, payload: bytes, about: About | None = None
    ) -> str:
        """Keep the payload; the letter's id."""
        kept = self._masked(payload)
        letter = write_letter(door, reason, detail, kept, self._clock.now_ms(), about)
        await self._redis.hset(self._keys.dead(door), letter.id, letter.model_dump_json())
        return letter.id

    async def list(self, door: str, limit: int = 100) -> list[DeadLetter]:
        """Those that wait, whole, the newest first."""
        key = self._keys.dead(door)
        ids = sorted(await self._redis.hkeys(key), reverse=True)[:limit]
        stored = await self._redis.hmget(key, ids) if ids else []
        return [DeadLetter.model_validate_json(letter) for letter in stored if letter is not None]

    async def get(self, door: str, letter_id: str) -> DeadLetter | None:
        """One letter that waits there, whole."""
        stored = await self._redis.hget(self._keys.dead(door), letter_id)
        return None if stored is None else DeadLetter.model_validate_json(stored)

    async def find(self, letter_id: str) -> Found | None:
        """The letter, whole, wherever it lies."""
        for state, door in await self._places(letter_id):
            stored = await self._redis.hget(self._keys.letters(door, state), letter_id)
            if stored is not None:
                raw = stored if isinstance(stored, bytes) else stored.encode()
                digest = hashlib.sha1(raw, usedforsecurity=False).hexdigest()
                return Found(DeadLetter.model_validate_json(raw), state, digest, len(raw))
        return None

    async def edit(self, found: Found, payload: bytes, *, by: str, message: str = "") -> DeadLetter | None:
        """Change what will be replayed; what came first is kept beside it. None: it was changed meanwhile.

        `message` is the new id of a delivery, where the edit makes it another one.
        """
        letter = found.letter
        text, encoded = _as_text(self._masked(payload))
        first = letter.edited_at == ""
        edited = letter.model_copy(
            update={
                "edited_at": iso(self._clock.now_ms()),
                "edited_by": by,
                "message": message or letter.message,
                "payload": text,
                "payload_base64": encoded,
                "original": letter.payload if first else letter.original,
                "original_base64": letter.payload_base64 if first else letter.original_base64,
            }
        )
        keys = [self._keys.dead(letter.door)]
        done = await self._edit(keys=keys, args=[letter.id, found.digest, edited.model_dump_json()])
        return edited if done else None

    async def replayed(self, found: Found, *, by: str, queue: str = "") -> bool:
        """Keep the letter as replayed, and put its payload on `queue` (when given), in one step.

        False when somebody else has replayed, changed or purged it meanwhile: then nothing is done.
        """
        letter = found.letter
        marked = letter.model_copy(update={"replayed_at": iso(self._clock.now_ms()), "replayed_by": by})
        keys = [self._keys.dead(letter.door), self._keys.dead_replayed(letter.door), *filter(None, [queue])]
        args: list[str | bytes] = [letter.id, found.digest, marked.model_dump_json()]
        return bool(await self._replay(keys=keys, args=[*args, letter.raw] if queue else args))

    async def replay(self, door: str, letter_id: str, queue: str) -> bool:
        """Put the payload of a waiting letter back on `queue` as it is; False when there is none."""
        found = await self.find(letter_id)
        if found is None or found.state != "waiting" or found.letter.door != door:
            return False
        return await self.replayed(found, by="", queue=queue)

    async def purge(self, letter_id: str) -> bool:
        """Drop a letter for good, with its payload; False when there is none."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for state, door in _EVERYWHERE:
                pipe.hdel(self._keys.letters(door, state), letter_id)
            return any(await pipe.execute())

    async def count(self, door: str) -> int:
        """How many letters wait there."""
        return await self._redis.hlen(self._keys.dead(door))

    async def _places(self, letter_id: str) -> Sequence[tuple[LetterState, str]]:
        """Where it lies; in both states for the moment in which it moves."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for state, door in _EVERYWHERE:
                pipe.hexists(self._keys.letters(door, state), letter_id)
            there = await pipe.execute()
        return [place for place, found in zip(_EVERYWHERE, there, strict=True) if found]


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
