"""What is known of a send under one idempotency key: ids of the parts sent, the part in doubt, the lease.

One HASH in Redis per key. Only the holder of the lease writes; a lease that ends is taken over, and the part
that was being sent at that time is then in doubt.
"""

import json
import secrets
from dataclasses import asdict, dataclass, field

import structlog
from redis.asyncio import Redis

from core.channel import Channel
from core.clock import Clock
from core.echoes import storage_errors
from core.errors import IdempotencyConflict, SendInProgress, StorageDown
from core.ids import MessageId
from core.jsontext import write_json
from core.keys import Keys
from core.scripts import load_script

#: A crashed send is taken over after half as much again.
LONGEST_SECONDS = 60.0
REMEMBER_MS = 2 * 24 * 3600 * 1000
#: One that is not done may wait as a dead letter until somebody looks: forgotten, it would be sent blindly.
REMEMBER_UNFINISHED_MS = 30 * 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class Doubt:
    """The next part may have reached the vendor: first tried at `since`, last at `tried`, Unix ms."""

    since: int
    tried: int


@dataclass(slots=True)
class Attempt:
    """The record while we hold its lease; `ids` and `doubt` are written together."""

    attempts: "Attempts"
    record: str
    lease: str
    ids: list[MessageId] = field(default_factory=list)
    doubt: Doubt | None = None
    done: bool = False

    async def begin_part(self) -> None:
        """Put the next part in doubt, before the vendor is called; StorageDown and nothing changes."""
        before, now = self.doubt, self.attempts.clock.now_ms()
        self.doubt = Doubt(before.since if before else now, now)
        try:
            await self._write(until=now + self.attempts.lease_ms)
        except StorageDown:
            self.doubt = before
            raise

    async def end_part(self, message_id: MessageId) -> None:
        """The vendor has the part under this id."""
        self.ids.append(message_id)
        self.doubt = None
        await self._write(until=self.attempts.clock.now_ms() + self.attempts.lease_ms)

    async def finish(self) -> None:
        """Every part is sent. A record that cannot be written is no reason to call that a failure."""
        await self._write_quietly(state="done", until=0)

    async def release(self) -> None:
        """Leave the rest to the next attempt; without Redis the lease ends by itself."""
        await self._write_quietly(until=0)

    async def _write_quietly(self, **fields: str | int) -> None:
        try:
            await self._write(**fields)
        except (StorageDown, SendInProgress) as error:
            structlog.get_logger().warning("send_record_not_written", code=error.code)

    async def _write(self, **fields: str | int) -> None:
        doubt = write_json(asdict(self.doubt)) if self.doubt else ""
        record: dict[str, str | int] = {"ids": write_json(self.ids), "doubt": doubt, **fields}
        pairs = [item for pair in record.items() for item in pair]
        remember = REMEMBER_MS if fields.get("state") == "done" else REMEMBER_UNFINISHED_MS
        with storage_errors():
            written = await self.attempts.note(keys=[self.record], args=[self.lease, remember, *pairs])
        if not written:
            raise SendInProgress("Another attempt with this idempotency key has taken over.")


class Attempts:
    """The records of all sends, over all replicas.

    `longest` is how long one vendor call may take, seconds. The lease, renewed with every part, is half as
    long again: were it to end while the vendor still works, a second attempt could send the same part.
    """

    def __init__(self, redis: Redis, keys: Keys, clock: Clock, *, longest: float = LONGEST_SECONDS) -> None:
        self.clock = clock
        self.longest = longest
        self.lease_ms = round(longest * 1500)
        self.note = load_script(redis, "sending_note")
        self._begin = load_script(redis, "sending_begin")
        self._keys = keys

    async def begin(self, channel: Channel, key: str, digest: str) -> Attempt:
        """Take the lease, or find the send done.

        Raises IdempotencyConflict when the key stands for another digest, SendInProgress, StorageDown.
        """
        record = self._keys.idempotency(channel.name, channel.account, key)
        lease = secrets.token_hex(16)
        now = self.clock.now_ms()
        arguments: list[str | int] = [digest, lease, now, self.lease_ms, REMEMBER_UNFINISHED_MS]
        with storage_errors():
            answer = json.loads(await self._begin(keys=[record], args=arguments))
        if answer["state"] == "conflict":
            raise IdempotencyConflict(channel=channel.name)
        if answer["state"] == "busy":
            raise SendInProgress(channel=channel.name, retry_after=answer["wait"] / 1000)
        doubt = Doubt(**json.loads(answer["doubt"])) if answer["doubt"] else None
        ids = [MessageId(one) for one in json.loads(answer["ids"])]
        return Attempt(self, record, lease, ids, doubt, done=answer["state"] == "done")
