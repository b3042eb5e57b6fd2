"""What agents say to customers: a reply to a turn, a message outside one, and what became of it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, ValidationError

from core.auth import demand_operator
from core.echoes import storage_errors
from core.errors import NotFound, PeerUnreachable, Rejected
from core.messages import OutgoingMessage
from core.operations import Operation, asking
from core.registry import CHANNEL_NAMES
from core.rehearsal import Rehearsal, Spared, sends
from core.textsplit import split_text
from orchestrator import turns
from orchestrator.account_names import AccountNames
from orchestrator.hub_arguments import ReplyArguments, SendArguments
from orchestrator.hub_bulks import no_such_delivery
from orchestrator.hub_models import Delivery, Queued, ReplyResult
from orchestrator.hub_parts import HubParts
from orchestrator.hub_views import delivery_view, history_line, lease_of, message_view, token_of
from orchestrator.reach import NoWay
from orchestrator.store import outbound
from orchestrator.store.errors import Erased, Unstorable, WrongClient, only_storable
from orchestrator.store.outbound import OperatorSends
from orchestrator.store.queries import sql
from orchestrator.taken import TakenOver
from orchestrator.ways import Way
from orchestrator.when_away import database_errors

_REPLY_AGAIN = (
    "Nothing was sent. Reply to all messages as they are now, with the lease_token given here; skip_turn "
    "when nothing is left."
)


#: A date further off is a mistake more often than a wish.
LONGEST_AHEAD = timedelta(days=366)
_ANSWERED = "This turn was answered before with these very words; nothing more was sent."
_ANSWERED_OTHERWISE = "Conflict: this turn was answered before with other words; yours were not sent."


class Writing:
    """Takes words for customers; what is accepted here is sent or told why not."""

    def __init__(self, parts: HubParts) -> None:
        self._parts = parts
        self._pool = parts.pool
        self._accounts = AccountNames(parts.manifests, parts.channels)

    def operations(self) -> list[Operation]:
        """In the order in which an agent meets them."""
        send, delivery = asking(SendArguments, self.send), "/api/deliveries/{delivery_id}"
        sending = Operation("send_message", "Send a message", "POST", "/api/messages/send", send, "send")
        return [
            replace(sending, answers=self._wrote_first, rehearse=self._rehearse_send),
            Operation("get_delivery", "Look a delivery up", "GET", delivery, self.delivery, "status"),
        ]

    async def reply(self, given: ReplyArguments) -> ReplyResult:
        """Answer a turn, once; if the customer wrote on meanwhile nothing is sent, and you reply again to all
        messages with the lease_token given."""
        lease, turn, answer = await self._answering(given)
        if not given.force:
            await self.catch_up(lease, turn)
        with _told():
            outcome = await turns.commit_reply(self._pool, lease, answer, now=self._parts.now())
        return await self.result(lease, outcome)

    async def _answering(self, given: ReplyArguments) -> tuple[turns.Lease, turns.Turn, turns.Reply]:
        """What is to be committed, after all that can be told without it."""
        lease, seen = lease_of(given.turn_id, given.lease_token)
        turn = await turns.get_turn(self._pool, lease.turn_id)
        if turn is None:
            raise NotFound(f"There is no turn {given.turn_id}.")
        way: Way | None = None
        if _holds(lease, turn):
            way = await self._way(turn)
            await self._refuse_unfit(way.channel if way else turn.channel, given)
        return lease, turn, _answer(given, self.seen(seen, force=given.force), way)

    async def catch_up(self, lease: turns.Lease, turn: turns.Turn) -> None:
        """Resolve what the customer has written since, unless that is to be a turn of its own."""
        if not self._parts.collects and _holds(lease, turn):
            with storage_errors():
                await self._parts.gathering.close_now(*turn.chat)

    def seen(self, message_id: int | None, *, force: bool = False) -> turns.Seen:
        """What an agent has seen, by the deployment's policy."""
        return turns.Seen(message_id, force, self._parts.collects)

    async def _way(self, turn: turns.Turn) -> Way | None:
        """Where the answer goes when not into the turn's own chat."""
        if turn.channel in self._parts.channels:
            return None
        found = await self._parts.reach.way(turn.client_id)
        if isinstance(found, NoWay):
            raise _no_way(turn.channel, found, " Use skip_turn.")
        return found

    async def _refuse_unfit(self, channel: str, given: ReplyArguments | SendArguments) -> None:
        """Better now than as a dead letter; a channel that cannot be asked is believed."""
        picture = given.image_url if isinstance(given, ReplyArguments) else ""
        if not picture and not given.file_kind:
            return
        manifest = await self._parts.manifests.of(channel)
        lacking = manifest.lacks(image=bool(picture), file_kind=given.file_kind) if manifest else ""
        if lacking:
            raise Rejected(f"{channel} carries no {lacking}.")

    async def result(self, lease: turns.Lease, outcome: turns.Outcome) -> ReplyResult:
        """What an agent is told of a turn that it wanted to finish."""
        match outcome:
            case turns.Committed(outbound_id):
                await self._parts.outbox_bell.ring()
                await self._parts.turns_bell.ring()  # for a turn of the same chat that waited for this one
                return ReplyResult(
                    status="queued" if outbound_id else "closed",
                    delivery_id=str(outbound_id or ""),
                    next_step="The turn is done. Call wait_for_turn for the next one.",
                )
            case turns.Superseded(new_messages, latest):
                return ReplyResult(
                    status="superseded",
                    lease_token=token_of(lease, latest),
                    new_messages=[message_view(message, self._parts.files) for message in new_messages],
                    next_step=_REPLY_AGAIN,
                )
            case turns.AlreadyAnswered(outbound_id, same):
                return ReplyResult(
                    status="already_answered",
                    delivery_id=str(outbound_id or ""),
                    next_step=_ANSWERED if same else _ANSWERED_OTHERWISE,
                )
            case TakenOver(handled, said, by, reason):
                return ReplyResult(
                    status="taken_over",
                    said_meanwhile=[history_line(message, self._parts.files) for message in said],
                    reason_untrusted=reason,
                    next_step=_taken_words(handled, by),
                )
            case turns.StaleLease():
                return ReplyResult(
                    status="stale_lease",
                    next_step="The lease had ended and nothing was sent. Call wait_for_turn.",
                )

    async def send(self, given: SendArguments) -> Queued:
        """Write to a chat when no turn of it is open, such as to follow up; to answer a turn use reply."""
        operator, message = await self._checked(given)
        way: Way | None = None
        if await outbound.get_delivery(self._pool, message.id) is None:
            way = await self._way_of_chat(message)
            await self._refuse_unfit(way.channel if way else message.channel, given)
        try:
            accepted = await outbound.insert_outbound(
                self._pool, message, origin="tool", now=self._parts.now(), way=way, operator=operator
            )
        except WrongClient as error:
            raise _once_more() from error
        except Erased as error:
            raise Rejected(str(error)) from error
        if operator is not None:
            await self._parts.pause_news.tell()
        await self._parts.outbox_bell.ring()
        if not accepted.created:
            return Queued(status="duplicate", delivery_id=str(message.id))
        put_off = accepted.delivery.state == "scheduled"
        return Queued(status="scheduled" if put_off else "queued", delivery_id=str(message.id))

    async def _checked(self, given: SendArguments) -> tuple[OperatorSends | None, OutgoingMessage]:
        """What can be told without the chat."""
        if given.channel not in CHANNEL_NAMES:
            raise self._unknown(given.channel)
        operator = OperatorSends(demand_operator(), self._parts.rules) if given.sender == "operator" else None
        message = await self._accounts.named(_message(given))
        if message.send_at and message.send_at - self._parts.now() > LONGEST_AHEAD:
            raise Rejected(f"send_at is more than {LONGEST_AHEAD.days} days ahead.")
        return operator, message

    async def _rehearse_send(self, **given: Any) -> Rehearsal:
        asked = SendArguments.model_validate(given)
        operator, message = await self._checked(asked)
        way = await self._way_of_chat(message)
        await self._refuse_unfit(way.channel if way else message.channel, asked)
        chat = (message.channel, message.account, message.external_chat_id)
        if operator is None:
            to = (way.channel, way.account, way.external_chat_id) if way else chat
            await outbound.refuse_paused(self._pool, chat, to, now=self._parts.now())
        return await self._sends(way.channel if way else message.channel, asked.chat_id, asked)

    async def rehearse_reply(self, **given: Any) -> Rehearsal:
        """As reply, except that a batch which the customer is still writing is left open."""
        asked = ReplyArguments.model_validate(given)
        lease, turn, answer = await self._answering(asked)
        chat_id = turn.chat[2]
        with _told():
            outcome = await turns.rehearse_reply(self._pool, lease, answer, now=self._parts.now())
        if not isinstance(outcome, turns.Committed):
            spared = [Spared(chat_id=chat_id, reason=(await self.result(lease, outcome)).status)]
            return Rehearsal(would="send nothing", refused=spared, refused_count=1)
        return await self._sends(answer.way.channel if answer.way else turn.channel, chat_id, asked)

    async def _sends(self, channel: str, chat_id: str, given: ReplyArguments | SendArguments) -> Rehearsal:
        """In how many parts, where the channel says its limits."""
        manifest = await self._parts.manifests.of(channel)
        limits = manifest.limits if manifest else None
        pieces = split_text(given.text, limits.text_limit, limits.text_unit) if limits else []
        media = bool(given.file_kind or getattr(given, "image_url", ""))
        return sends(chat_id, (len(pieces) + media) if limits else 0)

    async def _wrote_first(self, given: Mapping[str, Any]) -> bool:
        """Whether anything of the customer's is in the history of that chat."""
        account = await self._accounts.account(given["channel"], given["account"])
        with database_errors():
            found = await self._pool.fetchval(sql("wrote_first"), given["channel"], account, given["chat_id"])
        return bool(found)

    async def _way_of_chat(self, message: OutgoingMessage) -> Way | None:
        """Where the client of a chat can be reached that has no way back."""
        if message.channel in self._parts.channels:
            return None
        chat = (message.channel, message.account, message.external_chat_id)
        row = await self._pool.fetchrow(sql("whose_chat"), *chat)
        if row is None:
            raise self._unknown(message.channel)
        found = await self._parts.reach.way(row["client_id"])
        if isinstance(found, NoWay):
            raise _no_way(message.channel, found)
        return found

    async def delivery(
        self,
        delivery_id: Annotated[
            str,
            Field(
                max_length=60,
                description="From reply or send_message",
                examples=["0b9c2f3e-5d1a-4c57-9a53-2f0d6b1f7a10"],
            ),
        ],
    ) -> Delivery:
        """Look up what became of a message of ours, when it matters whether it arrived."""
        try:
            asked = UUID(delivery_id)
        except ValueError as error:
            raise NotFound("There is no such delivery.") from error
        found = await outbound.get_delivery(self._pool, asked)
        if found is None:
            raise await no_such_delivery(self._pool, asked)
        return delivery_view(found)

    def _unknown(self, channel: str) -> Rejected:
        known = ", ".join(sorted(self._parts.channels))
        return Rejected(f"Cannot write on {channel[:40]!r}; known: {known}.")


def _taken_words(handled: bool, by: str) -> str:
    who = f"{by or 'A person'} has this conversation now"
    done = "They have answered this turn." if handled else "You get the turn again when they are done."
    return f"Nothing was sent: {who}. {done} Call wait_for_turn."


def _holds(lease: turns.Lease, turn: turns.Turn) -> bool:
    """Whether this agent works on the turn; nobody else may end what the customer is still writing."""
    return turn.status == "leased" and turn.lease_token == lease.token


def _no_way(channel: str, found: NoWay, instead: str = "") -> PeerUnreachable:
    return PeerUnreachable(f"The channel {channel!r} has no way back and {found.reason}.{instead}")


def _once_more() -> Rejected:
    """Who is who was decided while the way was looked for: it may lead to somebody else."""
    return Rejected("The client was merged or separated meanwhile. Nothing was sent: call once more.")


def _answer(given: ReplyArguments, seen: turns.Seen, way: Way | None) -> turns.Reply:
    said = given.model_dump(exclude={"turn_id", "lease_token", "force"})
    return turns.Reply(**said, seen=seen, way=way)


def _message(given: SendArguments) -> OutgoingMessage:
    said = given.model_dump(exclude={"chat_id"}) | {"external_chat_id": given.chat_id}
    try:
        return OutgoingMessage.model_validate(said)
    except ValidationError as error:
        raise Rejected(_mistake(error)) from error


@contextmanager
def _told() -> Iterator[None]:
    """What a commit of an answer refuses, as its agent is told of it."""
    try:
        with only_storable():
            yield
    except Unstorable as error:
        raise Rejected(_why(error)) from error
    except WrongClient as error:
        raise _once_more() from error


def _why(error: Unstorable) -> str:
    """What is wrong with a reply that could not be stored."""
    cause = error.__cause__
    if isinstance(cause, ValidationError):
        return _mistake(cause)
    return "A reply needs a text or an image_url or a file_url, of readable characters."


def _mistake(error: ValidationError) -> str:
    first = error.errors(include_input=False, include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    said = first["msg"].removeprefix("Value error, ")
    return f"{where}: {said}." if where else f"{said[:1].upper()}{said[1:]}."
