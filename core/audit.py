"""Who did what with which result: an entry for every write by a key, at every door of every service.

    the door (core/permission.py) --> a stream in Redis --> a table (orchestrator/audit.py), once by its id

An entry holds no customer's words: of the arguments a keyed digest, of the answer the ids that we made.
"""

import asyncio
import hmac
import re
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

import structlog
from pydantic import BaseModel, ConfigDict, Field
from redis.asyncio import Redis

from core.auth import Caller
from core.clock import Clock
from core.confirmation import canonical
from core.echoes import REDIS_AWAY
from core.keys import Keys
from core.operations import READING, Operation

STREAM = "audit"
#: While nobody moves them into the table the oldest go beyond so many.
MOST_WAITING = 1_000_000
_PURPOSE = b"eldoleado: audit"
#: An agent asks for turns all day; that it got one stands with the turn.
_NO_WRITES = frozenset({"wait_for_turn"})
#: What we made: in the arguments or in the answer.
_OURS = ("turn_id", "appeal_id", "delivery_id", "bulk_id", "client_id", "merge_id", "letter_id")
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
    operation: str
    arguments: str
    result: str
    made: dict[str, str] = Field(default_factory=dict, description="ids of ours that it named or made")


class Audit(Protocol):
    """Writes down what became of a call; never raises for a store that is away."""

    async def note(
        self,
        caller: Caller,
        operation: Operation,
        given: Mapping[str, Any],
        result: str,
        made: Mapping[str, str],
    ) -> None: ...


class NoAudit:
    """Nothing is written down."""

    async def note(
        self,
        caller: Caller,
        operation: Operation,
        given: Mapping[str, Any],
        result: str,
        made: Mapping[str, str],
    ) -> None:
        """As Audit says."""


NO_AUDIT: Audit = NoAudit()


class AuditStream:
    """Hands entries over through Redis. One that Redis does not take stands in the log, whole."""

    def __init__(self, service: str, seals: Sequence[bytes], redis: Redis, keys: Keys, clock: Clock) -> None:
        self._service = service
        self._key = hmac.digest(seals[0], _PURPOSE, "sha256")
        self._redis = redis
        self._stream = keys.stream(STREAM)
        self._clock = clock

    async def note(
        self,
        caller: Caller,
        operation: Operation,
        given: Mapping[str, Any],
        result: str,
        made: Mapping[str, str],
    ) -> None:
        """As Audit says."""
        at = datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC)
        entry = Entry(
            id=str(uuid.uuid4()),
            at=at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            service=self._service,
            caller=caller.name,
            role=caller.role,
            operation=operation.name,
            arguments=hmac.new(self._key, canonical(given), "sha256").hexdigest(),
            result=result,
            made=dict(made),
        )
        try:
            fields: dict[Any, Any] = {"entry": entry.model_dump_json()}
            await self._redis.xadd(self._stream, fields, maxlen=MOST_WAITING, approximate=True)
        except (*REDIS_AWAY, asyncio.CancelledError) as error:
            structlog.get_logger().error("audit_not_stored", **entry.model_dump())
            if isinstance(error, asyncio.CancelledError):
                raise


def is_written_down(caller: Caller, operation: Operation) -> bool:
    """Every write; not what the hub does at a channel, which are rows of the outbox."""
    by_service = caller.by_service or caller.role == "service"
    return operation.risk not in READING and operation.name not in _NO_WRITES and not by_service


def ours(given: Mapping[str, Any], answer: BaseModel | None) -> dict[str, str]:
    """The ids of ours in a call and its answer."""
    found = {name: given.get(name) or getattr(answer, name, "") for name in _OURS}
    return {name: str(value) for name, value in found.items() if _ID.fullmatch(str(value))}


async def written_down(
    audit: Audit,
    caller: Caller,
    operation: Operation,
    given: Mapping[str, Any],
    run: Callable[[], Awaitable[BaseModel]],
) -> BaseModel:
    """The answer of `run`, after an entry was made of it, whatever the outcome."""
    result, answer = "cut_off", None
    try:
        answer = await run()
        result = "dry_run" if "dry_run" in answer.model_fields_set else "ok"
        return answer
    except Exception as error:
        result = getattr(error, "code", "internal_error")
        raise
    finally:
        await audit.note(caller, operation, given, result, ours(given, answer))
