"""Who did what with which result: an entry for every write by a key, at every door of every service.

    the door (core/permission.py) --> a stream in Redis --> a table (orchestrator/audit.py), once by its id

An entry holds no customer's words: of the arguments a keyed digest, of the answer the ids that we made.
"""

import asyncio
import hmac
import re
import uuid
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Protocol

import anyio
import structlog
from pydantic import BaseModel, ConfigDict, Field
from redis.asyncio import Redis

from core.call import Call
from core.clock import Clock
from core.echoes import REDIS_AWAY
from core.errors import ChannelError
from core.keys import Keys
from core.operations import READING, Operation

STREAM = "audit"
#: While nobody moves them into the table the oldest go beyond so many.
MOST_WAITING = 1_000_000
#: So long a call whose caller has left is held for its entry.
_HELD_SECONDS = 2.0
_PURPOSE = b"eldoleado: audit"
#: An agent asks for turns all day; that it got one stands with the turn.
_NO_WRITES = frozenset({"wait_for_turn"})
#: Changes nothing, and gives away: a right, or everything about a person.
_GIVES_AWAY = frozenset({"make_token", "export_client"})
#: What the hub does at a channel for others, whose calls of the hub are written down there.
DELIVERIES = frozenset({"send_message", "send_image", "send_file"})
#: What we made: in the arguments or in the answer.
_OURS = ("turn_id", "appeal_id", "delivery_id", "bulk_id", "client_id", "merge_id", "letter_id", "token_id")
#: As we make them; a caller may write anything in the place of one.
_ID = re.compile(r"[0-9a-f-]{1,64}", re.ASCII)


class Entry(BaseModel):
    """One call. `arguments`: their keyed digest; `result`: ok, dry_run, cut_off or an error's code."""

    model_config = ConfigDict(frozen=True)

    id: str
    at: str = Field(description="ISO 8601, UTC")
    service: str
    caller: str
    role: str
    by_token: str = Field(default="", description="token_id, of a call with a token of one appeal")
    token_appeal: str = Field(default="", description="the appeal that this token is for")
    operation: str
    arguments: str
    result: str
    made: dict[str, str] = Field(default_factory=dict, description="ids of ours that it named or made")


class Audit(Protocol):
    """Writes down what became of a call; never raises for a store that is away."""

    async def note(self, call: Call, result: str, made: Mapping[str, str]) -> None: ...


class NoAudit:
    """Nothing is written down."""

    async def note(self, call: Call, result: str, made: Mapping[str, str]) -> None:
        """As Audit says."""


NO_AUDIT: Audit = NoAudit()


class AuditStream:
    """Hands entries over through Redis. One that Redis does not take stands in the log, whole.

    `spared`: what a service of ours does for others, and what is written down where it was asked for.
    """

    def __init__(
        self,
        service: str,
        seals: Sequence[bytes],
        redis: Redis,
        *,
        keys: Keys,
        clock: Clock,
        spared: Collection[str] = (),
    ) -> None:
        self._service = service
        self._spared = spared
        self._key = hmac.digest(seals[0], _PURPOSE, "sha256")
        self._redis = redis
        self._stream = keys.stream(STREAM)
        self._clock = clock

    async def note(self, call: Call, result: str, made: Mapping[str, str]) -> None:
        """As Audit says. A caller who has left does not keep it from being stored."""
        if call.operation.name in self._spared and (call.caller.role == "service" or call.caller.by_service):
            return
        told = self._told(call, result, made)
        try:
            with anyio.fail_after(_HELD_SECONDS, shield=True):
                told["arguments"] = hmac.digest(self._key, await call.digest(), "sha256").hex()
                fields: dict[Any, Any] = {"entry": Entry.model_validate(told).model_dump_json()}
                await self._redis.xadd(self._stream, fields, maxlen=MOST_WAITING, approximate=True)
        except (Exception, asyncio.CancelledError) as error:  # the deed is done: its answer stays what it is
            mistake = not isinstance(error, (*REDIS_AWAY, asyncio.CancelledError))
            structlog.get_logger().error(
                "audit_not_stored", **told, why=type(error).__name__, exc_info=mistake
            )
            if isinstance(error, asyncio.CancelledError):
                raise

    def _told(self, call: Call, result: str, made: Mapping[str, str]) -> dict[str, Any]:
        at, bounds = datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC), call.caller.bounds
        return {
            "id": str(uuid.uuid4()),
            "at": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "service": self._service,
            "caller": call.caller.name,
            "role": call.caller.role,
            "by_token": bounds.token_id if bounds else "",
            "token_appeal": bounds.appeal_id if bounds else "",
            "operation": call.operation.name,
            "arguments": "",
            "result": result,
            "made": dict(made),
        }


class _Deed:
    """A call under way; it leaves one entry."""

    def __init__(self, audit: Audit, call: Call) -> None:
        self._audit = audit
        self._call = call
        self._noted = False

    async def note(self, result: str, answer: BaseModel | Mapping[str, str] | None) -> None:
        """Write it down, unless it was."""
        if not self._noted:
            self._noted = True
            await self._audit.note(self._call, result, ours(self._call.given, answer))


_deed: ContextVar[_Deed | None] = ContextVar("deed", default=None)


async def done(made: Mapping[str, str]) -> None:
    """Of an operation that stays after its deed: whatever comes now, the entry says ok and what it made."""
    if deed := _deed.get():
        await deed.note("ok", made)


def is_written_down(operation: Operation) -> bool:
    """Every write, and what gives away."""
    writes = operation.risk not in READING and operation.name not in _NO_WRITES
    return writes or operation.name in _GIVES_AWAY


def ours(given: Mapping[str, Any], answer: BaseModel | Mapping[str, str] | None) -> dict[str, str]:
    """The ids of ours in a call and in its answer, or in what it made so far."""
    made = answer if isinstance(answer, Mapping) else {name: getattr(answer, name, "") for name in _OURS}
    found = {name: given.get(name) or made.get(name, "") for name in _OURS}
    return {name: str(value) for name, value in found.items() if _ID.fullmatch(str(value))}


async def written_down(audit: Audit, call: Call, run: Callable[[], Awaitable[BaseModel]]) -> BaseModel:
    """The answer of `run`, after an entry was made of it, whatever the outcome."""
    deed, result, answer = _Deed(audit, call), "cut_off", None
    token = _deed.set(deed)
    try:
        answer = await run()
        result = "dry_run" if "dry_run" in answer.model_fields_set else "ok"
        return answer
    except Exception as error:
        result = error.code if isinstance(error, ChannelError) else "internal_error"
        raise
    finally:
        _deed.reset(token)
        await deed.note(result, answer)
