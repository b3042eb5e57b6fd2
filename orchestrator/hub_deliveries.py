"""Deliveries at the hub: which are in doubt, and what is to become of one."""

from typing import Annotated, Literal, cast
from uuid import UUID

from pydantic import BaseModel, Field

from core.auth import bounds_now, demand_operator
from core.errors import NotFound, Rejected
from core.operations import Arguments, Operation, asking
from core.rehearsal import Rehearsal, sends
from orchestrator.cursors import place_of
from orchestrator.hub_arguments import CursorArgument, LimitArgument
from orchestrator.hub_bulks import no_such_delivery
from orchestrator.hub_models import Delivery
from orchestrator.hub_parts import HubParts
from orchestrator.hub_views import delivery_view
from orchestrator.store import settling
from orchestrator.store.outbound import Delivery as Stored
from orchestrator.store.outbound import State, get_delivery, refuse_paused

_PATH = "/api/deliveries"
_ONE = f"{_PATH}/{{delivery_id}}"

DeliveryArgument = Annotated[
    str,
    Field(
        max_length=60,
        description="From reply, send_message or a list",
        examples=["0b9c2f3e-5d1a-4c57-9a53-2f0d6b1f7a10"],
    ),
]


class DeliveriesSought(Arguments):
    """Which deliveries."""

    status: Annotated[
        Literal["scheduled", "queued", "sending", "unknown", "failed", "cancelled"],
        Field(description="Where they are"),
    ] = "unknown"
    channel: Annotated[str, Field(max_length=32, description="Only of this channel", examples=["avito"])] = ""
    account: Annotated[
        str, Field(max_length=32, description="Only of this account", examples=["work-shop"])
    ] = ""
    limit: LimitArgument = 20
    cursor: CursorArgument = ""


class DeliveryLine(Delivery):
    """A delivery in a list; `given_up` unknown ones wait for an operator's word."""

    text_untrusted: str = Field(description="what we said")
    given_up: bool = False
    bulk_id: str = ""


class DeliveryPage(BaseModel):
    """One page of deliveries, the latest first."""

    deliveries: list[DeliveryLine]
    next_cursor: str = Field(default="", description="empty on the last page")


class DeliveryDesk:
    """What operators decide. Looking needs no operator's key; the AI may take back its own single words."""

    def __init__(self, parts: HubParts) -> None:
        self._parts = parts
        self._pool = parts.pool

    def operations(self) -> list[Operation]:
        """Looking first."""
        listed = asking(DeliveriesSought, self._list)
        cancel, settle, resend = f"{_ONE}/cancel", f"{_ONE}/settle", f"{_ONE}/resend"
        return [
            Operation("list_deliveries", "List deliveries", "GET", _PATH, listed, "read", tool=False),
            Operation(
                "cancel_delivery", "Cancel", "POST", cancel, self._cancel, "change", tool=False, needs="send"
            ),
            Operation(
                "settle_delivery", "Settle", "POST", settle, self._settle, "change", tool=False, needs="send"
            ),
            Operation(
                "resend_delivery",
                "Send anew",
                "POST",
                resend,
                self._resend,
                "send",
                tool=False,
                rehearse=self._rehearse_resend,
            ),
        ]

    async def _list(self, given: DeliveriesSought) -> DeliveryPage:
        """List deliveries in a state, the latest first; unknown ones are those of which nobody knows."""
        appeal_id = int(bounds.appeal_id) if (bounds := bounds_now()) else None
        found = await settling.listed(
            self._pool,
            cast(State, given.status),
            of=settling.Of(given.channel, given.account, appeal_id),
            before=place_of(given.cursor),
            limit=given.limit + 1,
        )
        shown = found[: given.limit]
        more = str(shown[-1].seq) if len(found) > given.limit else ""
        return DeliveryPage(deliveries=[_line(one) for one in shown], next_cursor=more)

    async def _cancel(self, delivery_id: DeliveryArgument) -> Delivery:
        """Do not send a message that has not begun, such as a scheduled one; not for replies to turns. What a
        person wrote, and what is part of a bulk, is for operators."""
        asked = _id(delivery_id)
        found = await get_delivery(self._pool, asked)
        if found is not None and (found.sender == "operator" or found.bulk_id is not None):
            demand_operator()
        cancelled = await settling.cancel(self._pool, asked, now=self._parts.now())
        return delivery_view(cancelled or await self._refused(asked, "It has begun, is over, or is a reply"))

    async def _settle(
        self,
        delivery_id: DeliveryArgument,
        outcome: Annotated[Literal["sent", "not_sent"], Field(description="What somebody has seen there")],
    ) -> Delivery:
        """Write down what became of an unknown message that nobody looks for any more; nothing is sent."""
        by, asked = demand_operator(), _id(delivery_id)
        settled = await settling.settle(self._pool, asked, outcome, by=by, now=self._parts.now())
        return delivery_view(settled or await self._refused(asked, "It is not unknown, or still looked for"))

    async def _resend(self, delivery_id: DeliveryArgument) -> Delivery:
        """Send an unknown message anew although the customer may have it; the answer is the new delivery."""
        by, asked = demand_operator(), _id(delivery_id)
        made = await settling.resend(self._pool, asked, by=by, now=self._parts.now())
        if made is None:
            await self._refused(asked, "It is not unknown, or still looked for")
            raise NotFound("There is no such delivery.")
        await self._parts.outbox_bell.ring()
        return delivery_view(made.delivery)

    async def _rehearse_resend(self, *, delivery_id: str) -> Rehearsal:
        demand_operator()
        found = await get_delivery(self._pool, _id(delivery_id))
        if found is None or found.state != "unknown" or found.given_up_at is None:
            found = await self._refused(_id(delivery_id), "It is not unknown, or still looked for")
        if found.sender == "agent":
            chat = (found.channel, found.account, found.external_chat_id)
            await refuse_paused(self._pool, chat, now=self._parts.now())
        return sends(found.external_chat_id, 0)

    async def _refused(self, delivery_id: UUID, why: str) -> Stored:
        """Raises: NotFound, or Rejected with the state it is in."""
        found = await get_delivery(self._pool, delivery_id)
        if found is None:
            raise await no_such_delivery(self._pool, delivery_id)
        raise Rejected(f"{why}: its state is {found.state}.")


def _id(delivery_id: str) -> UUID:
    try:
        return UUID(delivery_id)
    except ValueError as error:
        raise NotFound("There is no such delivery.") from error


def _line(delivery: Stored) -> DeliveryLine:
    return DeliveryLine(
        **delivery_view(delivery).model_dump(),
        text_untrusted=delivery.text,
        given_up=delivery.given_up_at is not None,
        bulk_id=str(delivery.bulk_id or ""),
    )
