"""Bulks at the hub: one text, or one each, to many chats; how far it is; no more of it."""

import asyncio
from contextlib import suppress
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

import anyio
from pydantic import BaseModel, Field

from core.audit import done
from core.auth import caller_now, demand_operator
from core.errors import NotFound, Rejected
from core.operations import Arguments, Operation, asking
from core.progress import tell_progress
from core.rehearsal import MOST_NAMED, Rehearsal, Spared
from orchestrator.account_names import AccountNames
from orchestrator.hub_arguments import TEXT_MAX, AccountArgument, ChannelArgument, KeyArgument, TextArgument
from orchestrator.hub_parts import HubParts
from orchestrator.store import bulks
from orchestrator.store.bulks import Asked, Bulk, Progress
from orchestrator.store.errors import Unstorable, only_storable
from orchestrator.store.pool import Pool

BULK_MAX = 10_000
#: Refused chats that an answer names; the rest are counted.
_NAMED = 100
#: How often a caller who stays is told how far it is.
_LOOK_SECONDS = 1.0

BulkArgument = Annotated[
    str,
    Field(
        max_length=60,
        description="From send_bulk",
        examples=["0b9c2f3e-5d1a-4c57-9a53-2f0d6b1f7a10"],
    ),
]
WaitArgument = Annotated[
    int, Field(ge=0, le=50, description="Seconds to stay for its end; progress is told", examples=[30])
]

Status = Literal["accepted", "duplicate", "running", "finished", "cancelled"]


class BulkArguments(Arguments):
    """What is to be sent to many."""

    channel: ChannelArgument
    chat_ids: Annotated[
        list[Annotated[str, Field(max_length=512)]],
        Field(
            min_length=1,
            max_length=BULK_MAX,
            description="Chats in which customers wrote",
            examples=[["u2i-8f3a", "u2i-91c0"]],
        ),
    ]
    text: TextArgument = ""
    texts: Annotated[
        tuple[Annotated[str, Field(max_length=TEXT_MAX)], ...],
        Field(
            max_length=BULK_MAX,
            description="Or one for each chat, in the same order",
            examples=[["Анна, готово", "Олег, готово"]],
        ),
    ] = ()
    account: AccountArgument = "default"
    idempotency_key: KeyArgument = ""
    wait_seconds: WaitArgument = 0


class RefusedChat(BaseModel):
    """A chat that gets no message."""

    chat_id: str
    reason: Literal["not_known", "paused", "empty_text", "repeated"]


class BulkProgress(BaseModel):
    """How far a bulk is."""

    bulk_id: str
    status: Status
    repeated: bool = Field(default=False, description="it had been accepted before")
    total: int = Field(description="messages that were accepted")
    refused_count: int = 0
    refused: list[RefusedChat] = Field(default_factory=list, description="the first hundred of them")
    states: dict[str, int] = Field(default_factory=dict, description="so many messages in each state")
    created_at: str
    started_at: str = ""
    finished_at: str = ""
    seconds_left: int = Field(default=-1, description="by the last minute; -1: nothing to go by yet")


class BulkDesk:
    """Takes bulks; each message of one is a delivery with its bulk_id."""

    def __init__(self, parts: HubParts) -> None:
        self._parts = parts
        self._pool = parts.pool
        self._accounts = AccountNames(parts.manifests, parts.channels)
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """The process ends: nobody stays to see how a bulk goes on."""
        self._stopping.set()

    def operations(self) -> list[Operation]:
        """To begin one, to see how far it is, and to end it."""
        send, one = asking(BulkArguments, self._send), "/api/bulks/{bulk_id}"
        cancel = f"{one}/cancel"
        return [
            Operation(
                "send_bulk", "Send to many", "POST", "/api/bulks", send, "bulk", rehearse=self._rehearse
            ),
            Operation("get_bulk", "See how far a bulk is", "GET", one, self._get, "status"),
            Operation(
                "cancel_bulk",
                "Stop a bulk",
                "POST",
                cancel,
                self._cancel,
                "change",
                needs="send",
                outside=False,
                destructive=True,  # of what is not sent yet
            ),
        ]

    async def _send(self, given: BulkArguments) -> BulkProgress:
        """Send a text to up to 10,000 chats that wrote to us, when all must be told; answers go first."""
        asked = await self._asked(given)
        with anyio.CancelScope(shield=True):  # who hangs up in between has sent it, and it is told who
            bulk, created = await self._accepted(asked)
            await done({"bulk_id": str(bulk.id)})
        await self._parts.outbox_bell.ring()
        if given.wait_seconds:
            told = await self._followed(bulk.id, given.wait_seconds)
        else:
            told = _shown(Progress(bulk), "accepted" if created else "duplicate")
        return told.model_copy(update={"repeated": not created})

    async def _accepted(self, asked: Asked) -> tuple[Bulk, bool]:
        """It, and whether it is new."""
        try:
            with only_storable():
                return await bulks.accept_bulk(self._pool, asked, now=self._parts.now())
        except Unstorable as error:
            raise Rejected("A chat id or a text has characters that cannot be kept.") from error

    async def _rehearse(self, **given: Any) -> Rehearsal:
        asked = await self._asked(BulkArguments.model_validate(given))
        chats, refused = await bulks.refusals(self._pool, asked, now=self._parts.now())
        return Rehearsal(
            would=f"send {len(chats)} messages, one to a chat",
            chats=chats[:MOST_NAMED],
            messages=len(chats),
            refused=[Spared(chat_id=one.chat_id, reason=one.reason) for one in refused[:MOST_NAMED]],
            refused_count=len(refused),
        )

    async def _get(self, bulk_id: BulkArgument, wait_seconds: WaitArgument = 0) -> BulkProgress:
        """See how far a bulk is, when you sent one: messages by state, and how long it will take."""
        return await self._followed(_id(bulk_id), wait_seconds)

    async def _followed(self, bulk_id: UUID, seconds: float) -> BulkProgress:
        """How far it is when it has ended, or so much later; between two looks nothing is held."""
        loop = asyncio.get_running_loop()
        ends, told = loop.time() + seconds, -1
        while True:
            found = await bulks.progress(self._pool, bulk_id, now=self._parts.now())
            if found is None:
                raise NotFound("There is no such bulk.")
            if found.settled > told:
                await tell_progress(told := found.settled, found.bulk.total)
            left = ends - loop.time()
            if found.finished_at or left <= 0 or self._stopping.is_set():
                return _shown(found, _status(found))
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), min(left, _LOOK_SECONDS))

    async def _cancel(self, bulk_id: BulkArgument) -> BulkProgress:
        """Send nothing more of a bulk that you began, when it should stop; what has begun goes its way."""
        asked = _id(bulk_id)
        bulk = await bulks.get_bulk(self._pool, asked)
        if bulk is not None and bulk.asked_by != _caller():
            demand_operator()
        if await bulks.cancel_bulk(self._pool, asked, now=self._parts.now()) is None:
            raise NotFound("There is no such bulk.")
        return await self._followed(asked, 0)

    async def _asked(self, given: BulkArguments) -> Asked:
        if given.channel not in self._parts.channels:
            known = ", ".join(sorted(self._parts.channels))
            raise Rejected(f"Cannot write on {given.channel[:40]!r}; known: {known}.")
        if bool(given.texts) == bool(given.text.strip()):
            raise Rejected("Give either text or texts.")
        texts = given.texts or (given.text,) * len(given.chat_ids)
        if len(texts) != len(given.chat_ids):
            raise Rejected("texts has not as many texts as there are chat_ids.")
        key = f"bulk|{given.channel}|{given.account}|{given.idempotency_key}"
        bulk_id = uuid5(NAMESPACE_URL, key) if given.idempotency_key else uuid4()
        account = await self._accounts.account(given.channel, given.account)
        items = list(zip(given.chat_ids, texts, strict=True))
        return Asked(bulk_id, given.channel, account, items, by=_caller())


async def no_such_delivery(pool: Pool, asked: UUID) -> NotFound:
    """What to answer to whoever asks for a delivery that there is not: it may be a bulk."""
    if await bulks.get_bulk(pool, asked) is None:
        return NotFound("There is no such delivery.")
    return NotFound(
        "This id is of a bulk: get_bulk (GET /api/bulks/{bulk_id}) tells how far it is. "
        "Its messages are deliveries of their own."
    )


def _id(bulk_id: str) -> UUID:
    try:
        return UUID(bulk_id)
    except ValueError as error:
        raise NotFound("There is no such bulk.") from error


def _caller() -> str:
    return caller_now().name


def _status(progress: Progress) -> Status:
    if progress.bulk.cancelled_at:
        return "cancelled"
    return "finished" if progress.finished_at else "running"


def _shown(progress: Progress, status: Status) -> BulkProgress:
    bulk = progress.bulk
    return BulkProgress(
        bulk_id=str(bulk.id),
        status=status,
        total=bulk.total,
        refused_count=len(bulk.refused),
        refused=[RefusedChat.model_validate(one) for one in bulk.refused[:_NAMED]],
        states=dict(progress.states),
        created_at=_iso(bulk.created_at),
        started_at=_iso(progress.started_at),
        finished_at=_iso(progress.finished_at),
        seconds_left=-1 if progress.seconds_left is None else progress.seconds_left,
    )


def _iso(moment: datetime | None) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z") if moment else ""
