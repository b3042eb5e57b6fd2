"""What happened to a message, at the hub."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field

from core.echoes import storage_errors
from core.errors import NotFound, Rejected
from core.operations import Arguments, Operation, asking
from orchestrator.account_names import AccountNames
from orchestrator.hub_arguments import AccountArgument
from orchestrator.hub_letters import LetterLine, letter_line
from orchestrator.hub_parts import HubParts
from orchestrator.trace import Asked, Traced
from orchestrator.trace_stages import Stage


class TraceArguments(Arguments):
    """A message by channel, chat and vendor's id; or a turn; or a delivery."""

    channel: Annotated[
        str, Field(max_length=32, description="With chat_id and message_id", examples=["avito"])
    ] = ""
    chat_id: Annotated[
        str, Field(max_length=512, description="From a turn or an appeal", examples=["u2i-8f3a"])
    ] = ""
    message_id: Annotated[
        str, Field(max_length=512, description="The vendor's id, either side's", examples=["6f2e91"])
    ] = ""
    account: AccountArgument = "default"
    turn_id: Annotated[
        str, Field(pattern=r"^\d{0,18}$", description="Instead: a turn", examples=["4211"])
    ] = ""
    delivery_id: Annotated[
        str,
        Field(
            max_length=60,
            description="Instead: what we sent",
            examples=["0b9c2f3e-5d1a-4c57-9a53-2f0d6b1f7a10"],
        ),
    ] = ""


class TraceStage(BaseModel):
    """One thing that happened."""

    at: str = Field(description="ISO 8601, UTC")
    stage: str
    about: str = Field(description="the message, turn or delivery that it happened to")
    until: str = Field(default="", description="when it ended, or will at the latest")
    by: str = ""
    attempt: int = 0
    times: int = Field(default=1, description="so often in a row; of received: repeats of the vendor too")
    code: str = ""
    detail_untrusted: str = ""


class MessageTrace(BaseModel):
    """The way of a message in the order of time, and what it waits for."""

    turn_id: str = ""
    client_id: str = ""
    appeal_id: str = ""
    delivery_ids: list[str] = Field(default_factory=list)
    now: list[str] = Field(default_factory=list, description="what it waits for; empty: it is finished")
    stages: list[TraceStage] = Field(default_factory=list)
    repeats: int = Field(default=0, description="deliveries of the vendor that were dropped as seen")
    dead_letters: list[LetterLine] = Field(default_factory=list)


class TraceDesk:
    """Answers what happened to a message."""

    def __init__(self, parts: HubParts) -> None:
        self._tracing = parts.tracing
        self._accounts = AccountNames(parts.manifests, parts.channels)

    def operations(self) -> list[Operation]:
        """One."""
        trace = asking(TraceArguments, self._trace)
        return [Operation("trace_message", "Trace a message", "GET", "/api/trace", trace, "status")]

    async def _trace(self, given: TraceArguments) -> MessageTrace:
        """Tell what happened to a message, when one seems lost or late: times, agents, attempts, errors."""
        with storage_errors():
            traced = await self._traced(given)
        if not traced.is_known:
            raise NotFound("Nothing is known of that message.")
        return _view(traced)

    async def _traced(self, given: TraceArguments) -> Traced:
        if given.delivery_id:
            return await self._tracing.of_delivery(_uuid(given.delivery_id))
        if given.turn_id:
            return await self._tracing.of_turn(int(given.turn_id))
        if not (given.channel and given.chat_id and given.message_id):
            raise Rejected("Name a delivery_id, or a turn_id, or channel, chat_id and message_id.")
        account = await self._accounts.account(given.channel, given.account)
        return await self._tracing.of_message(Asked(given.channel, account, given.chat_id, given.message_id))


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise NotFound("There is no such delivery.") from error


def _view(traced: Traced) -> MessageTrace:
    return MessageTrace(
        turn_id=str(traced.turn_id or ""),
        client_id=str(traced.client_id or ""),
        appeal_id=str(traced.appeal_id or ""),
        delivery_ids=[str(one) for one in traced.deliveries],
        now=traced.now,
        stages=[_stage(stage) for stage in traced.stages],
        repeats=traced.repeats,
        dead_letters=[letter_line(head) for head in traced.letters],
    )


def _stage(stage: Stage) -> TraceStage:
    return TraceStage(
        at=_iso(stage.at),
        stage=stage.stage,
        about=stage.about,
        until=_iso(stage.until) if stage.until else "",
        by=stage.by,
        attempt=stage.attempt,
        times=stage.times,
        code=stage.code,
        detail_untrusted=stage.detail,
    )


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
