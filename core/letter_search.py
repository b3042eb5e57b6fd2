"""Looking through dead letters: by door, reason, channel and age, in pages, without reading the payloads."""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from core.deadletters import DOORS, STATES, DeadLetter, written_ms
from core.errors import BadCursor
from core.keys import Keys, LetterState
from core.scripts import load_script

#: Heads that one script call reads: Redis serves nobody else meanwhile, and a letter may be large.
_AT_ONCE = 20
#: Heads that one page looks at; a rare reason among many letters takes more pages, not one long call.
_PER_PAGE = 2000
_LENGTHS_AT_ONCE = 1000
#: A cursor is the id of the last letter shown (core/deadletters.py).
_LETTER_ID = re.compile(r"[0-9a-f]{1,16}-[0-9a-z-]{1,40}")


@dataclass(frozen=True, slots=True)
class Sought:
    """Which letters; "" and None mean any. Times are Unix ms."""

    door: str = ""
    reason: str = ""
    channel: str = ""
    state: LetterState = "waiting"
    written_before: int | None = None

    @property
    def doors(self) -> Sequence[str]:
        return (self.door,) if self.door else DOORS

    def is_old_enough(self, letter_id: str) -> bool:
        """Whether it was written before the time sought."""
        return self.written_before is None or written_ms(letter_id) < self.written_before

    def has(self, letter: DeadLetter) -> bool:
        """Whether the reason and the channel are those sought."""
        reason = not self.reason or letter.reason == self.reason
        return reason and (not self.channel or letter.channel == self.channel)


@dataclass(frozen=True, slots=True)
class Head:
    """A letter without its payload, and how many bytes the whole takes."""

    letter: DeadLetter
    size: int


@dataclass(frozen=True, slots=True)
class Measure:
    """Letters, their bytes, and when the oldest was written (Unix ms)."""

    count: int
    size: int
    oldest_ms: int | None


@dataclass(frozen=True, slots=True)
class HeadPage:
    """`next_cursor` is "" on the last page; a page may hold fewer heads than asked for, also none."""

    heads: list[Head]
    next_cursor: str


class LetterSearch:
    """Reads heads only; changes nothing."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys
        self._heads = load_script(redis, "letter_heads")
        self._mentions = load_script(redis, "letter_mentions")

    async def page(self, sought: Sought, *, limit: int, cursor: str = "", oldest: bool = False) -> HeadPage:
        """The newest first, or the oldest; `cursor` is that of the page before. Raises BadCursor."""
        if cursor and not _LETTER_ID.fullmatch(cursor):
            raise BadCursor
        places = await self._places(sought, cursor, oldest=oldest)
        found: list[Head] = []
        for first in range(0, min(len(places), _PER_PAGE), _AT_ONCE):
            some = places[first : first + _AT_ONCE]
            for looked, head in enumerate(await self._read(sought.state, some), first + 1):
                if head is not None and sought.has(head.letter):
                    found.append(head)
                if len(found) == limit:
                    return HeadPage(found, places[looked - 1][0] if looked < len(places) else "")
        return HeadPage(found, places[_PER_PAGE - 1][0] if len(places) > _PER_PAGE else "")

    async def about(self, channel: str, account: str, chat: str, message: str) -> list[Head]:
        """Letters of that message. A webhook's body is only known to name both ids somewhere, and the letter
        the accounts that the webhook may be of.
        """
        named = [
            head
            for head in await self._mentioning("incoming", (message, chat))
            if _subject(head.letter) == (channel, account, chat, message)
        ]
        hooks = await self._mentioning(f"webhook:{channel}", (message, chat))
        return named + [head for head in hooks if account in (head.letter.accounts or (account,))]

    async def about_delivery(self, delivery_id: str) -> list[Head]:
        """Letters of that delivery, also those that an edit has given another id."""
        return await self._mentioning("outgoing", (delivery_id,))

    async def _mentioning(self, door: str, words: Sequence[str]) -> list[Head]:
        """Of the newest letters of each state those that hold all these words, the newest first."""
        found: list[Head] = []
        for state in STATES:
            places = (await self._places(Sought(door, state=state), "", oldest=False))[:_PER_PAGE]
            for first in range(0, len(places), _AT_ONCE):
                ids = [letter_id for letter_id, _ in places[first : first + _AT_ONCE]]
                args: list[str | int] = [len(words), *words, *ids]
                hits = await self._mentions(keys=[self._keys.letters(door, state)], args=args)
                heads = await self._read(state, [(ids[place - 1], door) for place in hits])
                found += filter(None, heads)
        return found

    async def measure(self, door: str, state: LetterState) -> Measure:
        """How many letters lie there, since when, and how much of Redis they take."""
        key = self._keys.letters(door, state)
        ids = [_text(raw) for raw in await self._redis.hkeys(key)]
        size = 0
        for first in range(0, len(ids), _LENGTHS_AT_ONCE):
            async with self._redis.pipeline(transaction=False) as pipe:
                for letter_id in ids[first : first + _LENGTHS_AT_ONCE]:
                    pipe.hstrlen(key, letter_id)
                size += sum(await pipe.execute())
        return Measure(len(ids), size, written_ms(min(ids)) if ids else None)

    async def _places(self, sought: Sought, cursor: str, *, oldest: bool) -> list[tuple[str, str]]:
        """(letter id, door) of every letter of the right door and age, in the order of the page."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for door in sought.doors:
                pipe.hkeys(self._keys.letters(door, sought.state))
            answers = await pipe.execute()
        places = [
            (letter_id, door)
            for door, ids in zip(sought.doors, answers, strict=True)
            for letter_id in map(_text, ids)
            if sought.is_old_enough(letter_id) and _comes_after(letter_id, cursor, oldest=oldest)
        ]
        return sorted(places, reverse=not oldest)

    async def _read(self, state: LetterState, places: Sequence[tuple[str, str]]) -> list[Head | None]:
        of_door: dict[str, list[str]] = defaultdict(list)
        for letter_id, door in places:
            of_door[door].append(letter_id)
        heads: dict[str, Head | None] = {}
        for door, ids in of_door.items():
            answers = await self._heads(keys=[self._keys.letters(door, state)], args=ids)
            heads.update(zip(ids, map(_head, answers), strict=True))
        return [heads[letter_id] for letter_id, _ in places]


def _subject(letter: DeadLetter) -> tuple[str, str, str, str]:
    return (letter.channel, letter.account, letter.chat, letter.message)


def _text(raw: bytes | str) -> str:
    return raw.decode() if isinstance(raw, bytes) else raw


def _comes_after(letter_id: str, cursor: str, *, oldest: bool) -> bool:
    if not cursor:
        return True
    return letter_id > cursor if oldest else letter_id < cursor


def _head(answer: Any) -> Head | None:
    if answer is None:
        return None
    head, size = answer
    return Head(DeadLetter.model_validate_json(head.removesuffix(b"}") + b"}"), size)
