"""Consent to what cannot be taken back: asked for within the call where the client can, else by a token.

A token is ours: sealed over who calls, where, what and with which arguments, good for ten minutes at every
replica. It shows that the caller was told and called once more. It does not show that a person was asked:
a model may repeat a call by itself (docs/safety.md).
"""

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

from redis.asyncio import Redis

from core.arguments import TEXT_MAX
from core.call import Call
from core.clock import Clock
from core.echoes import storage_errors
from core.errors import ConfirmationRequired
from core.jsontext import write_json
from core.keys import Keys
from core.operations import Operation
from core.untrusted import one_line

#: Of a token; the state of a round lives as long (mcp.server.request_state).
LIVES_SECONDS = 600
_CLOCKS_DIFFER = 60
_PURPOSE = b"eldoleado: confirmation"
_TOKEN = re.compile(r"([0-9]{1,12})\.([0-9a-f]{16})\.([\w-]{43})", re.ASCII)
_PLAIN = re.compile(r"[\w@.:+-]{1,100}", re.ASCII)
#: Of a list so many are shown in a question; the rest are counted.
_SHOWN = 10

_consent: ContextVar[bool | None] = ContextVar("consent", default=None)
_round: ContextVar[str] = ContextVar("round", default="")


class Once(Protocol):
    """Remembers what was used, over all replicas."""

    async def first(self, mark: str, seconds: int) -> bool:
        """Whether it is the first time within so many seconds."""


class OnceInRedis:
    """Raises StorageDown."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys

    async def first(self, mark: str, seconds: int) -> bool:
        """As Once says."""
        with storage_errors():
            return bool(await self._redis.set(self._keys.confirmed(mark), "1", nx=True, ex=seconds))


class Confirmations:
    """Lets a call pass that bears a good token; any other is told, with a token for the same call again.

    `seals`: the first makes tokens, every one opens them. A token is good once, unless the call has an
    idempotency_key: then a repeat sends nothing anew, and needs no second consent.
    """

    def __init__(self, service: str, seals: Sequence[bytes], clock: Clock, once: Once) -> None:
        self._service = service
        self._seals = [hmac.digest(seal, _PURPOSE, "sha256") for seal in seals]
        self._clock = clock
        self._once = once

    async def __call__(self, call: Call, token: str) -> None:
        """Raises ConfirmationRequired, StorageDown."""
        caller, operation = call.caller, call.operation.name
        what = write_json([self._service, caller.name, caller.role, operation]).encode()
        digest = hashlib.sha256(what + b"\0" + await call.digest()).digest()
        why = await self._fault(token, digest, once=not call.given.get("idempotency_key"))
        if why:
            said = f"{why}{operation} waits for a yes, and nothing was done."
            raise ConfirmationRequired(said, confirm_token=self._new(digest))

    async def is_new(self, given: Mapping[str, Any]) -> bool:
        """Whether a person's yes within this call is used for the first time: a host may send its last round
        again. With an idempotency_key that sends nothing anew. Raises StorageDown.
        """
        state = _round.get()
        if not state or given.get("idempotency_key"):
            return True
        mark = hashlib.sha256(state.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        return await self._once.first(mark, LIVES_SECONDS + _CLOCKS_DIFFER)

    async def _fault(self, token: str, digest: bytes, *, once: bool) -> str:
        """What is wrong with the token, in words; "" when it is good."""
        if not token:
            return " "
        parts = _TOKEN.fullmatch(token)
        if parts is None:
            return "This confirm_token is none of ours. "
        ends, mark, seal = int(parts[1]), parts[2], parts[3]
        if not any(hmac.compare_digest(self._seal(key, ends, mark, digest), seal) for key in self._seals):
            return "This confirm_token was given to somebody else, or for another call. "
        left = ends - self._clock.now_ms() // 1000
        if left <= 0:
            return "This confirm_token has expired. "
        used = once and not await self._once.first(mark, left + 1)
        return "This confirm_token was used before. " if used else ""

    def _new(self, digest: bytes) -> str:
        ends, mark = self._clock.now_ms() // 1000 + LIVES_SECONDS, secrets.token_hex(8)
        return f"{ends}.{mark}.{self._seal(self._seals[0], ends, mark, digest)}"

    def _seal(self, key: bytes, ends: int, mark: str, digest: bytes) -> str:
        made = hmac.digest(key, b"%d|%b|%b" % (ends, mark.encode(), digest), "sha256")
        return base64.urlsafe_b64encode(made).decode().rstrip("=")


def consent() -> bool | None:
    """What a person said who was asked within this call; None: nobody was asked."""
    return _consent.get()


@contextmanager
def within_round(state: str) -> Iterator[None]:
    """What is called inside came with this sealed state of the round before, in which a person was asked."""
    token = _round.set(state)
    try:
        yield
    finally:
        _round.reset(token)


@contextmanager
def said(*, yes: bool) -> Iterator[None]:
    """A person was asked about what is called inside."""
    token = _consent.set(yes)
    try:
        yield
    finally:
        _consent.reset(token)


def question(operation: Operation, given: Mapping[str, Any]) -> str:
    """What a person is asked; it depends on nothing but the call, or it would be asked for ever."""
    usual = {name: one.default for name, one in operation.signature.parameters.items()}
    lines = [f"{name}: {_shown(value)}" for name, value in given.items() if value != usual.get(name)]
    return "\n".join([f"{operation.title}? ({operation.name})", *lines])


def _shown(value: Any) -> str:
    """On one line, quoted unless it is a plain id: no words can look like another line of the question."""
    if isinstance(value, list | tuple):
        rest = f" and {len(value) - _SHOWN} more" if len(value) > _SHOWN else ""
        return f"{len(value)}: {', '.join(map(_shown, value[:_SHOWN]))}{rest}"
    text = str(value)
    if len(text) > TEXT_MAX:
        return f"({len(text)} characters)"
    if _PLAIN.fullmatch(text):
        return text
    words = one_line(text.replace("\n", " ⏎ "), TEXT_MAX + len(text))
    return f"“{words.replace('“', '‘').replace('”', '’')}”"
