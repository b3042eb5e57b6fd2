"""A webhook's dead letters once more through the channel: after a fix of the code, or an edit of the body.

Whoever sent the body was believed when it came; that is not asked again. What the inbox has seen is
recognised, so a replay repeated, or cut off by a crash before the letter was marked, makes one message.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import structlog
from pydantic import BaseModel, Field

from core.channel import Channel, Normalized
from core.deadletters import DeadLetter, DeadLetters
from core.echoes import storage_errors
from core.errors import NotFound, Rejected
from core.ids import AccountId
from core.jsontext import UnreadableJSON, read_json
from core.operations import Operation
from core.webhook import Intake, Listener

LetterId = Annotated[str, Field(max_length=60, description="From the list of dead letters")]


class Replayed(BaseModel):
    """What became of a letter; `kept`: it waits on, and `why` says what still cannot be read."""

    status: Literal["replayed", "already", "kept"]
    queued: int = Field(default=0, description="new messages")
    repeated: int = Field(default=0, description="messages that had been taken in before")
    why: str = ""


class LetterReplays:
    """The dead letters of one channel's webhook."""

    def __init__(
        self,
        accounts: Mapping[AccountId, Channel],
        inbox: Intake,
        dead: DeadLetters,
        listener: Listener,
    ) -> None:
        self._accounts = accounts
        self._inbox = inbox
        self._dead = dead
        self._listener = listener
        self._some = next(iter(accounts.values()))

    def operations(self) -> list[Operation]:
        """For the hub; models ask there."""
        path = "/api/dead-letters/{letter_id}/replay"
        return [
            Operation(
                "replay_letter", "Replay a dead letter", "POST", path, self.replay, "change", tool=False
            )
        ]

    async def replay(
        self,
        letter_id: LetterId,
        by: Annotated[str, Field(max_length=80, description="Who asks")] = "",
    ) -> Replayed:
        """Read a webhook's dead letter once more and queue what it means."""
        with storage_errors():
            found = await self._dead.find(letter_id)
        if found is None or found.letter.door != f"webhook:{self._some.name}":
            raise NotFound(f"There is no dead letter {letter_id!r} of this channel.")
        if found.state == "replayed":
            return Replayed(status="already")
        queued, repeated, wrong = await self._take(found.letter)
        if wrong:
            return Replayed(status="kept", queued=queued, repeated=repeated, why="; ".join(wrong))
        with storage_errors():
            await self._dead.replayed(found, by=by)
        return Replayed(status="replayed", queued=queued, repeated=repeated)

    async def _take(self, letter: DeadLetter) -> tuple[int, int, Sequence[str]]:
        """How much was new, how much was known, and what still cannot be read."""
        try:
            parsed = read_json(letter.raw)
        except (UnreadableJSON, RecursionError) as error:
            return 0, 0, [f"unreadable_json: {error}"]
        queued = repeated = 0
        meanings = [(channel, _meaning(channel, parsed)) for channel in self._addressed(letter)]
        for channel, meaning in meanings:
            stored = await self._inbox.put(meaning.arrivals)
            self._listener.note(channel, meaning.arrivals, stored)
            queued += sum(outcome in ("queued", "spooled") for outcome in stored)
            repeated += sum(outcome in ("repeated", "echo") for outcome in stored)
        return queued, repeated, _wrong([meaning for _, meaning in meanings])

    def _addressed(self, letter: DeadLetter) -> list[Channel]:
        """The accounts that it came for. Without them nobody can tell, unless every body names its own."""
        if not letter.accounts and (self._some.capabilities.shared_webhook or len(self._accounts) == 1):
            return list(self._accounts.values())
        known = [self._accounts[AccountId(one)] for one in letter.accounts if one in self._accounts]
        if not known:
            raise Rejected(f"Its account {letter.account!r} is not served here.", channel=self._some.name)
        return known


def _meaning(channel: Channel, parsed: object) -> Normalized:
    try:
        return channel.normalize(parsed)
    except Exception as error:  # noqa: BLE001  # it lies there because it broke our code, and may do so again
        structlog.get_logger().exception("normalize_failed", channel=channel.name, account=channel.account)
        return Normalized(unknown=f"normalize_failed: {type(error).__name__}")


def _wrong(meanings: Sequence[Normalized]) -> list[str]:
    wrong = dict.fromkeys(meaning.unknown for meaning in meanings if meaning.unknown)
    if nobodys := frozenset.intersection(*(meaning.foreign for meaning in meanings)):
        wrong[f"other_account: {', '.join(sorted(nobodys))[:200]}"] = None
    return list(wrong)
