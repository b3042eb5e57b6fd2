"""What is known of a client, who said it, and which word the client's row shows.

    vendor     the messenger attests it: the account's own name, a phone shared by its owner's account
    form       typed into a form by whoever filled it in
    claimed    a producer says so, on a channel that attests nothing of the kind
    mentioned  it stands in a text or on a card that was passed on; perhaps somebody else's

Every word is kept as a fact with the handle it came by. The row shows the first name and e-mail, so that a
person does not change their name in the middle of a case; and the phone of the best evidence, of a vendor's
the latest, because that is the number they have now. What is only mentioned is never shown as theirs.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import asyncpg

from orchestrator.batching import ASKED, Batch
from orchestrator.phones import is_e164, phones_in
from orchestrator.store.pool import Connection, Executor
from orchestrator.store.queries import sql

Kind = Literal["name", "phone", "email", "username", "profile_url", "avatar_url", "language"]
Evidence = Literal["vendor", "form", "claimed", "mentioned"]

#: Channels whose phone is the customer's own: WhatsApp's number, a contact that its owner's account shared.
ATTESTS_PHONES = frozenset({"telegram", "whatsapp", "max"})
FORM = "form"
_RANKS: dict[str, int] = {"mentioned": 0, "claimed": 1, "form": 2, "vendor": 3}
#: From here on a phone tells people apart.
_ATTESTED = _RANKS["form"]
#: Names and addresses are shown to people; what is longer is not one.
_LONGEST: dict[str, int] = {"name": 200, "email": 320, "username": 200, "language": 35}
_LONGEST_URL = 1000
_SEPARATOR = "\x1f"


@dataclass(frozen=True, slots=True)
class Told:
    """A word about a client."""

    kind: Kind
    value: str
    evidence: Evidence

    @property
    def is_attested(self) -> bool:
        """Whether a vendor or a form stands behind it."""
        return _RANKS[self.evidence] >= _ATTESTED


@dataclass(frozen=True, slots=True)
class Fact:
    """A word about a client as it is stored, with the handle that it came by ("" when none was known)."""

    kind: str
    value: str
    evidence: str
    channel: str
    account: str
    external_user_id: str
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Learned:
    """A word that was new of this client, and by which handle (channel, account, user) it came."""

    client_id: int
    told: Told
    handle: tuple[str, str, str]


@dataclass(slots=True)
class Card:
    """What a client's row shows, and the evidence of every (kind, value, handle) that is known."""

    name: str | None = None
    phone: str | None = None
    email: str | None = None
    known: dict[tuple[str, ...], str] = field(default_factory=dict)

    def learn(self, told: Iterable[Told], handle: tuple[str, str, str]) -> list[Told]:
        """Take in what was said by this handle; what of it is to be stored."""
        return [word for word in told if self._takes(word, handle)]

    def _takes(self, word: Told, handle: tuple[str, str, str]) -> bool:
        key = (word.kind, *handle, word.value)
        before = self.known.get(key)
        shown = self._show(word)
        if before is not None and _RANKS[before] >= _RANKS[word.evidence]:
            return shown
        self.known[key] = word.evidence
        return True

    def _show(self, word: Told) -> bool:
        """Show the word if it is better than what is shown; whether it was."""
        if word.evidence == "mentioned" or word.kind not in ("name", "phone", "email"):
            return False
        shown: str | None = getattr(self, word.kind)
        if shown == word.value or (shown is not None and not self._is_better_phone(word)):
            return False
        setattr(self, word.kind, word.value)
        return True

    def _is_better_phone(self, word: Told) -> bool:
        if word.kind != "phone":
            return False
        ranks = [_RANKS[e] for key, e in self.known.items() if key[0] == "phone" and key[-1] == self.phone]
        shown, new = max(ranks, default=_RANKS["claimed"]), _RANKS[word.evidence]
        return new > shown or new == shown == _RANKS["vendor"]


def told_in(batch: Batch) -> tuple[Told, ...]:
    """What a batch tells of its customer: the latest name, e-mail and phone, and the numbers in their texts.

    In a group others write too: their phone in the customer's place would make one person of two.
    """
    who, context = batch.external_user_id, batch.context
    theirs = [m for m in batch.messages if who is None or m.external_user_id == who]
    account: Evidence = "form" if batch.channel == FORM else "vendor"
    name = _last(m.client_name for m in theirs if who) or context.client_name
    username = _last(m.client_username for m in theirs if who) or context.client_username
    said: list[tuple[Kind, str | None, Evidence]] = [
        ("name", name, account),
        ("email", _last(m.client_email for m in theirs), "form" if batch.channel == FORM else "claimed"),
        ("username", username, account),
        ("profile_url", context.client_profile_url, account),
        ("avatar_url", context.client_avatar_url, account),
        ("language", context.client_language, account),
    ]
    words = [Told(kind, text, evidence) for kind, value, evidence in said if (text := _fit(kind, value))]
    return (*words, *_phones(batch))


def _phones(batch: Batch) -> list[Told]:
    """Those that belong to the chat or the account first; then those that are only mentioned."""
    who = batch.external_user_id
    theirs = [m for m in batch.messages if who is None or m.external_user_id == who]
    own = _last(m.client_phone for m in theirs if is_e164(m.client_phone))
    vouched = batch.context.client_phone
    found: dict[str, Told] = {}
    if is_e164(vouched):
        found[vouched] = Told("phone", vouched, "vendor")
    if own:
        found.setdefault(own, Told("phone", own, _evidence_of_phone(batch.channel)))
    asked = [item for item in batch.items if item.asks and item.message.external_user_id == who]
    cards = [card.phone or "" for item in asked for card in item.media.contacts]
    for phone in phones_in([*(item.text for item in asked if item.message.event in ASKED), *cards]):
        found.setdefault(phone, Told("phone", phone, "mentioned"))
    return list(found.values())


def _evidence_of_phone(channel: str) -> Evidence:
    if channel == FORM:
        return "form"
    return "vendor" if channel in ATTESTS_PHONES else "claimed"


def _last(values: Iterable[str | None]) -> str:
    return next((value for value in reversed([*values]) if value), "")


def _fit(kind: Kind, value: str | None) -> str:
    """The value without its edges; cut, except for an address, of which a part is worth nothing."""
    text = (value or "").strip()
    if kind.endswith("_url"):
        return text if len(text) <= _LONGEST_URL else ""
    return text[: _LONGEST[kind]]


def card_of(row: asyncpg.Record) -> Card:
    """A row of lock_clients."""
    known: dict[tuple[str, ...], str] = {}
    for text in row["facts"]:
        kind, evidence, *rest = text.split(_SEPARATOR, 5)
        known[(kind, *rest)] = evidence
    return Card(row["name"], row["phone"], row["email"], known)


async def store(connection: Connection, learned: Sequence[Learned], now: datetime) -> None:
    """Add the facts, in the caller's transaction, which has the clients locked."""
    if not learned:
        return
    await connection.execute(
        sql("add_facts"),
        [one.client_id for one in learned],
        [one.told.kind for one in learned],
        [one.told.value for one in learned],
        [one.told.evidence for one in learned],
        *([one.handle[place] for one in learned] for place in range(3)),
        now,
    )


async def facts_of(executor: Executor, client_id: int) -> list[Fact]:
    """All that is known of a client, the best evidence and the latest word first within each kind."""
    rows = await executor.fetch(sql("facts_of_client"), client_id)
    facts = [Fact(**dict(row)) for row in rows]
    return sorted(facts, key=lambda fact: (fact.kind, -_RANKS[fact.evidence], -fact.last_at.timestamp()))
