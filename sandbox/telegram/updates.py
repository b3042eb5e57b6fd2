"""The queue of updates: numbered, filtered, and kept until taken or too old (contract §2, §3)."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox.timing import Clock

KINDS = frozenset(
    {
        "message",
        "edited_message",
        "channel_post",
        "edited_channel_post",
        "business_connection",
        "business_message",
        "edited_business_message",
        "deleted_business_messages",
        "guest_message",
        "message_reaction",
        "message_reaction_count",
        "inline_query",
        "chosen_inline_result",
        "callback_query",
        "shipping_query",
        "pre_checkout_query",
        "purchased_paid_media",
        "poll",
        "poll_answer",
        "my_chat_member",
        "chat_member",
        "chat_join_request",
        "chat_boost",
        "removed_chat_boost",
        "managed_bot",
        "subscription",
        "stopped_message_generation",
    }
)
USUAL = KINDS - {"chat_member", "message_reaction", "message_reaction_count"}
FORGETTING = 7 * 86_400


@dataclass(slots=True)
class Update:
    """One update; `lane` is the chat whose order is kept."""

    id: int
    kind: str
    lane: str
    message_id: str
    payload: dict[str, Any]
    expires: float
    album: str | None = None

    def view(self) -> dict[str, Any]:
        return {"update_id": self.id, self.kind: self.payload}


class Updates:
    """`listen` is told of each new update; None for `allowed` is the usual set."""

    def __init__(self, now: Clock, first_id: int) -> None:
        self._now = now
        self._next = self._first = first_id
        self._last_at: float | None = None
        self._listeners: list[Callable[[Update], None]] = []
        self._pending: dict[int, Update] = {}
        self.allowed: frozenset[str] | None = None

    def listen(self, listener: Callable[[Update], None]) -> None:
        self._listeners.append(listener)

    def allow(self, given: Any) -> None:
        """Absent keeps what was allowed; an empty list or only unknown names mean the usual set."""
        if given is None:
            return
        names = frozenset(str(name) for name in given) & KINDS if isinstance(given, list) else frozenset()
        self.allowed = names or None

    def allows(self, kind: str) -> bool:
        """Kinds the contract does not list are always let through, for receivers must ignore them."""
        return kind in (USUAL if self.allowed is None else self.allowed) or kind not in KINDS

    def add(self, kind: str, payload: dict[str, Any], *, lane: str, message_id: str, until: float) -> None:
        """Queue an update that lives `until` a moment; ids are random after a week of silence."""
        now = self._now()
        if not self.allows(kind) or until <= now:
            return
        if self._last_at is not None and now - self._last_at > FORGETTING:
            self._next = secrets.randbelow(1_000_000_000) + 1
        update = Update(self._next, kind, lane, message_id, payload, until, payload.get("media_group_id"))
        self._next, self._last_at = self._next + 1, now
        self._pending[update.id] = update
        for listener in self._listeners:
            listener(update)

    def pending(self) -> list[Update]:
        """Oldest first, without those whose life ended."""
        now = self._now()
        self._pending = {number: update for number, update in self._pending.items() if update.expires > now}
        return list(self._pending.values())

    def of_lane(self, lane: str) -> list[Update]:
        return [update for update in self.pending() if update.lane == lane]

    def holds(self, update: Update) -> bool:
        return update.id in self._pending and update.expires > self._now()

    def remove(self, update: Update) -> None:
        self._pending.pop(update.id, None)

    def confirm(self, offset: int) -> list[Update]:
        """Forget what is below `offset`; a negative one keeps only the last so many."""
        waiting = self.pending()
        kept = waiting[offset:] if offset < 0 else [update for update in waiting if update.id >= offset]
        self._pending = {update.id: update for update in kept}
        return kept

    def drop(self) -> None:
        self._pending.clear()

    def forget(self) -> None:
        """As if the bot were new."""
        self.drop()
        self._next, self._last_at, self.allowed = self._first, None, None
