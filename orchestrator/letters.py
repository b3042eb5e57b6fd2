"""Dead letters at the hub: found, shown, mended, replayed, purged.

    waiting -- edit --> waiting -- replay --> replayed -- purge --> gone
       |------------------- purge ------------------------------->

A replay takes the way that the message would have taken: through the channel's own reading (webhook), onto
`queue:incoming`, or into the outbox. Each of them knows what it has had before, so a replay that is repeated,
or cut off by a crash at any step, makes one message.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from core.chats import UNREADABLE, explain
from core.deadletters import DeadLetter, DeadLetters, Found
from core.errors import ChannelError, NotFound, Rejected
from core.jsontext import read_json
from core.letter_search import Head, HeadPage, LetterSearch, Sought
from core.messages import IncomingMessage
from orchestrator.resending import Resending, Way

_AT_ONCE = 100

#: replayed: on its way now; recognised: there was nothing left to do.
Outcome = Literal["replayed", "recognised"]


class ReplaysLetters(Protocol):
    """The part of the channels' client that is used here (orchestrator/channels.py)."""

    async def replay_letter(self, channel: str, letter_id: str, by: str) -> dict[str, Any]: ...


@dataclass(slots=True)
class Replay:
    """What became of many letters; `refused` are (letter id, why): they wait on."""

    replayed: int = 0
    recognised: int = 0
    refused: list[tuple[str, str]] = field(default_factory=list)
    more: bool = False


class Letters:
    """The dead letters of all doors."""

    def __init__(
        self,
        dead: DeadLetters,
        search: LetterSearch,
        channels: ReplaysLetters,
        resending: Resending,
        incoming: str,
    ) -> None:
        self._dead = dead
        self._search = search
        self._channels = channels
        self._resending = resending
        self._incoming = incoming

    async def page(self, sought: Sought, *, limit: int, cursor: str) -> HeadPage:
        """The newest first."""
        return await self._search.page(sought, limit=limit, cursor=cursor)

    async def whole(self, letter_id: str) -> Found:
        """One letter with its payload; NotFound."""
        found = await self._dead.find(letter_id)
        if found is None:
            raise NotFound(f"There is no dead letter {letter_id!r}.")
        return found

    async def edit(self, letter_id: str, payload: str, *, by: str) -> DeadLetter:
        """Change what will be replayed; Rejected for what could be replayed no better than before."""
        found = await self.whole(letter_id)
        if found.state == "replayed":
            raise Rejected("It was replayed already. What became of it, if it failed again, is a new letter.")
        raw, delivery = payload.encode("utf-8", "replace"), ""
        if found.letter.door == "outgoing":
            message = await self._resending.edited(found.letter, raw)
            raw, delivery = message.model_dump_json().encode(), str(message.id)
        else:
            _check_readable(found.letter.door, raw)
        edited = await self._dead.edit(found, raw, by=by, message=delivery)
        if edited is None:
            raise Rejected("Somebody else has changed or replayed it meanwhile. Look again.")
        return edited

    async def replay(self, letter_id: str, *, by: str) -> Outcome:
        """Send one on its way; ChannelError when it cannot be, then it waits on."""
        found = await self.whole(letter_id)
        if found.state == "replayed":
            return "recognised"
        if found.letter.door.startswith("webhook:"):
            return await self._through_the_channel(found.letter, by)
        way = await self._way(found.letter)
        done = await self._dead.replayed(found, by=by, queue=way.queue)
        return "replayed" if done and way.is_new else "recognised"

    async def _way(self, letter: DeadLetter) -> Way:
        if letter.door == "outgoing":
            return await self._resending.resend(letter)
        _check_readable(letter.door, letter.raw)
        return Way(self._incoming, is_new=True)

    async def replay_all(self, sought: Sought, *, limit: int, by: str) -> Replay:
        """Up to `limit` letters, the oldest first, so that the order of a chat is kept."""
        replay, cursor = Replay(), ""
        while True:
            left = limit - replay.replayed - replay.recognised - len(replay.refused)
            page = await self._search.page(sought, limit=min(left, _AT_ONCE), cursor=cursor, oldest=True)
            for head in page.heads:
                await self._replay_into(replay, head.letter.id, by)
            cursor = page.next_cursor
            if not cursor or len(page.heads) == left:
                replay.more = bool(cursor)
                return replay

    async def _replay_into(self, replay: Replay, letter_id: str, by: str) -> None:
        try:
            outcome = await self.replay(letter_id, by=by)
        except ChannelError as error:
            replay.refused.append((letter_id, f"{error.code}: {error.detail}"))
            return
        if outcome == "replayed":
            replay.replayed += 1
        else:
            replay.recognised += 1

    async def _through_the_channel(self, letter: DeadLetter, by: str) -> Outcome:
        answer = await self._channels.replay_letter(letter.channel or _channel(letter.door), letter.id, by)
        if answer.get("status") == "kept":
            raise Rejected(f"The channel still cannot read it: {answer.get('why', '')}")
        return "replayed" if answer.get("queued") else "recognised"

    async def purge(self, letter_id: str) -> int:
        """Drop one for good; how many that were."""
        return int(await self._dead.purge(letter_id))

    async def purge_all(self, sought: Sought) -> int:
        """Drop all of them for good; how many that were."""
        purged = 0
        async for head in self._each(sought):
            purged += await self._dead.purge(head.letter.id)
        return purged

    async def count(self, sought: Sought) -> int:
        """How many these are."""
        return sum([1 async for _ in self._each(sought)])

    async def _each(self, sought: Sought) -> AsyncIterator[Head]:
        cursor = ""
        while True:
            page = await self._search.page(sought, limit=_AT_ONCE, cursor=cursor)
            for head in page.heads:
                yield head
            cursor = page.next_cursor
            if not cursor:
                return


def _channel(door: str) -> str:
    return door.partition(":")[2]


def _check_readable(door: str, raw: bytes) -> None:
    """Rejected with what is wrong, without the customer's words: it would be back in a moment."""
    try:
        said = read_json(raw)
        if door == "incoming":
            IncomingMessage.model_validate(said)
    except UNREADABLE as error:
        raise Rejected(f"The payload cannot be read: {explain(error)}.") from error
