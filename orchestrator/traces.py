"""What Redis keeps of a client: queues, dead letters, memories of events and of sends, lists of chats.

Messages and keys name their chat, so they are compared as what they are. A letter's payload may be anything:
it is the client's when a handle, a chat, a phone or an e-mail of theirs stands in it as a word of its own.
Keys of a kind that this file does not know are searched likewise, and emptied of what names the client.
"""

import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Iterable, Iterator
from dataclasses import astuple, replace
from typing import cast

from redis.asyncio import Redis

from core.chats import member_name
from core.deadletters import DeadLetter
from core.jsontext import UnreadableJSON, read_json
from core.keys import Keys, QueueKeys
from core.scripts import load_script
from orchestrator.person import Name, Person
from orchestrator.redis_parts import drop_part, parts_of

#: What `{kind}:{channel}:{account}:{name}` is about.
_SCOPED = ("seen", "sent", "sending", "facts", "paused", "idem")
#: Kinds that name no customer; a file on offer to a vendor is gone after ten minutes.
IMPERSONAL = ("token", "swept", "watch", "file", "rate", "bell", "erased", "ended")
#: Shorter words stand in texts by chance.
_SHORTEST = 4
_RULES = json.dumps({"channels": {}, "default": [0, 0, 0], "lease": 1})


class Names:
    """The names of a client, as they may stand in keys, messages and texts."""

    def __init__(self, whose: Person) -> None:
        self._chats = {*whose.chats}
        self._handles = {*whose.handles}
        self._deliveries = {*whose.outbound_ids}
        self._scoped: dict[tuple[str, str], set[str]] = {}
        for channel, account, name in (*whose.chats, *whose.handles, *whose.sent_ids):
            self._scoped.setdefault((channel, account), set()).add(name)
        everywhere = {*self._deliveries, *whose.emails, *(phone.lstrip("+") for phone in whose.phones)}
        self._everywhere = _any_of(everywhere)
        self._words = {
            channel: _any_of({*everywhere, *self._of_channel(channel)})
            for channel in {place[0] for place in self._scoped}
        }
        self._anywhere = _any_of({*everywhere, *(name for names in self._scoped.values() for name in names)})

    def _of_channel(self, channel: str) -> Iterator[str]:
        return (name for place, names in self._scoped.items() if place[0] == channel for name in names)

    def has_message(self, raw: bytes) -> bool | None:
        """Whether a queued message is theirs; None when it says nothing that can be compared."""
        try:
            message = read_json(raw)
        except (UnreadableJSON, RecursionError):
            return None
        if not isinstance(message, dict) or "channel" not in message:
            return None
        place = (str(message["channel"]), str(message.get("account") or "default"))
        chat = (*place, str(message.get("external_chat_id")))
        user = (*place, str(message.get("external_user_id")))
        return chat in self._chats or user in self._handles or str(message.get("id")) in self._deliveries

    def has_name(self, channel: str, account: str, name: str) -> bool:
        """Whether a key's last part is about them."""
        known = self._scoped.get((channel, account), set())
        return name in known or name in self._deliveries or self.stands_in(name, channel)

    def stands_in(self, text: str, channel: str = "") -> bool:
        """Whether a name of theirs, on this channel or on any, is a word of the text."""
        words = self._words.get(channel, self._everywhere) if channel else self._anywhere
        return bool(words and words.search(text))


def _any_of(names: Iterable[str]) -> re.Pattern[str] | None:
    words = sorted((name for name in names if len(name) >= _SHORTEST), key=len, reverse=True)
    if not words:
        return None
    return re.compile(r"(?<![0-9A-Za-z])(?:" + "|".join(map(re.escape, words)) + r")(?![0-9A-Za-z])")


class Traces:
    """Finds and removes what Redis keeps of a client. Errors are those of Redis."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys
        self._queues = {"incoming": keys.incoming, "outgoing": keys.outgoing, "tickets": keys.tickets}
        self._erase = load_script(redis, "chat", "erase")

    async def remove(self, whose: Person, now_ms: int) -> Counter[str]:
        """Take all of it away; how many things, by kind.

        What messages left that still wait goes before them: nothing else names it. What the queues' workers
        wrote meanwhile goes after them.
        """
        names = Names(whose)
        counts = await self._drop_found(whose)
        for name, queue in self._queues.items():
            counts[name] += await self._from_lists(queue, names)
            counts[name] += await self._from_chats(queue, whose, names, now_ms)
        return +(counts + await self._drop_found(whose))

    async def _drop_found(self, whose: Person) -> Counter[str]:
        counts: Counter[str] = Counter()
        async for key, part in self.found(whose):
            counts[self._kind(key)] += await drop_part(self._redis, key, part)
        return counts

    async def queued(self, whose: Person) -> list[str]:
        """The messages that wait in the queues, as they came."""
        names, found = Names(whose), []
        for queue in self._queues.values():
            members = [member_name(*chat) for chat in (*whose.chats, *whose.shared)]
            for key in (queue.source, queue.taken, *(queue.items + member for member in members)):
                found += [raw for raw in await self._list(key) if names.has_message(raw)]
        return [raw.decode(errors="replace") for raw in found]

    async def found(self, whose: Person) -> AsyncIterator[tuple[str, bytes | None]]:
        """(key, field, member or entry; None: the whole key) of everything outside of the queues."""
        waiting = [name for raw in await self.queued(whose) for name in _name_of(raw)]
        names = Names(replace(whose, sent_ids=[*whose.sent_ids, *waiting]))
        engines = tuple(part for queue in self._queues.values() for part in _parts(queue))
        pattern = re.sub(r"([*?\[\]\\])", r"\\\1", self._keys.prefix) + "*"
        async for raw in self._redis.scan_iter(match=pattern, count=1000):
            key = raw.decode(errors="replace")
            kind = self._kind(key)
            if kind in IMPERSONAL or key.startswith(engines):
                continue
            if kind in _SCOPED:
                if await self._is_about(key, names):
                    yield key, None
                continue
            channel = key.removeprefix(self._keys.prefix).split(":")[1] if kind == "chats" else ""
            for part, text in await parts_of(self._redis, key):
                if self._names_them(key, text, names, channel):
                    yield key, part

    def _names_them(self, key: str, text: bytes, names: Names, channel: str) -> bool:
        words = text.decode(errors="replace")
        if self._kind(key) != "dead":
            return names.stands_in(words, channel)
        try:
            letter = DeadLetter.model_validate_json(text.partition(b" ")[2])  # behind its name in the hash
        except ValueError:
            return names.stands_in(words)
        payloads = dict.fromkeys((letter.raw, letter.raw_original))
        return any(_names_them_in(letter, payload, names) for payload in payloads)

    async def _is_about(self, key: str, names: Names) -> bool:
        _, channel, account, name = (key.removeprefix(self._keys.prefix).split(":", 3) + [""] * 3)[:4]
        if names.has_name(channel, account, name):
            return True
        if self._kind(key) != "idem":
            return False
        texts = [text.decode(errors="replace") for _, text in await parts_of(self._redis, key)]
        return any(names.stands_in(text, channel) for text in texts)

    async def _from_lists(self, queue: QueueKeys, names: Names) -> int:
        gone = 0
        for key in (queue.source, queue.taken):
            for raw in await self._list(key):
                if names.has_message(raw):
                    gone += await drop_part(self._redis, key, raw)
        return gone

    async def _from_chats(self, queue: QueueKeys, whose: Person, names: Names, now_ms: int) -> int:
        gone = 0
        for chat in (*whose.chats, *whose.shared):
            member = member_name(*chat)
            raws = [raw for raw in await self._list(queue.items + member) if names.has_message(raw)]
            if chat in whose.shared and not raws:
                continue
            gone += int(await self._erase(keys=astuple(queue), args=(_RULES, now_ms, member, *raws)))
        return gone

    async def _list(self, key: str) -> list[bytes]:
        return await cast("Awaitable[list[bytes]]", self._redis.lrange(key, 0, -1))

    def _kind(self, key: str) -> str:
        return key.removeprefix(self._keys.prefix).partition(":")[0]


def _names_them_in(letter: DeadLetter, payload: bytes, names: Names) -> bool:
    door, _, of_channel = letter.door.partition(":")
    known = names.has_message(payload) if door != "webhook" else None
    words = payload.decode(errors="replace")
    return known if known is not None else names.stands_in(f"{words} {letter.detail}", of_channel)


def _name_of(raw: str) -> list[Name]:
    """What the messenger calls a customer's message that waits in a queue."""
    message = read_json(raw)
    name = message.get("external_message_id")
    return [(str(message["channel"]), str(message.get("account") or "default"), str(name))] if name else []


def _parts(queue: QueueKeys) -> Iterator[str]:
    """The names and beginnings of an engine's keys, but for its letters."""
    return (getattr(queue, name) for name in QueueKeys.__slots__ if name != "dead")
