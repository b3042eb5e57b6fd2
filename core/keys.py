"""Every Redis key and queue name. An operator opens this file first; no key literal stands anywhere else.

A key's chat part is the chat id, or `{account}@{chat_id}` for an account other than the default.
`Keys(prefix="{p7}:")` puts the same layout into one slot of a Redis Cluster.
"""

from dataclasses import dataclass
from typing import Literal

from core.ids import DEFAULT_ACCOUNT

LetterState = Literal["waiting", "replayed"]


def chat_part(account: str, chat_id: str) -> str:
    """How a chat is named inside a key."""
    return chat_id if account == DEFAULT_ACCOUNT else f"{account}@{chat_id}"


@dataclass(frozen=True, slots=True)
class QueueKeys:
    """The keys of one chat engine (see core/chats.py).

    source        LIST    messages of all chats, as producers push them
    taken         LIST    the message that woke a collector; read before `source`
    items         LIST    + member: messages of one chat, being gathered or waiting to be sent
    last          STRING  + member: time of the chat's last message, Unix ms
    lock          STRING  + member: lease on the chat, value = fencing token
    opened        HASH    member -> time of the first message since the last lease, Unix ms
    deadlines     ZSET    member -> when the chat is due (or its lease ends), Unix ms
    pending       LIST    members that are due, waiting for a worker
    fence         STRING  counter of fencing tokens
    dead          HASH    dead letter id -> the letter (core/deadletters.py)
    typed         HASH    member -> when the customer was seen typing since `opened`, Unix ms
    closing       HASH    member -> what closed the chat at once: it is due whatever comes
    """

    source: str
    taken: str
    items: str
    last: str
    lock: str
    opened: str
    deadlines: str
    pending: str
    fence: str
    dead: str
    typed: str
    closing: str


@dataclass(frozen=True, slots=True)
class Keys:
    """All names, under one prefix."""

    prefix: str = ""

    @property
    def incoming(self) -> QueueKeys:
        """`queue:incoming` -> `queue:batch:{channel}:{chat}` -> turns."""
        p = self.prefix
        return QueueKeys(
            source=f"{p}queue:incoming",
            taken=f"{p}queue:incoming:taken",
            items=f"{p}queue:batch:",
            last=f"{p}last_seen:",
            lock=f"{p}lock:batch:",
            opened=f"{p}queue:debounce:opened",
            deadlines=f"{p}queue:debounce:deadlines",
            pending=f"{p}queue:debounce:pending",
            fence=f"{p}queue:debounce:fence",
            dead=self.dead("incoming"),
            typed=f"{p}queue:debounce:typed",
            closing=f"{p}queue:debounce:closing",
        )

    @property
    def outgoing(self) -> QueueKeys:
        """`queue:outgoing` -> `queue:outbound:{channel}:{chat}` -> the outbox in PostgreSQL."""
        p = self.prefix
        return QueueKeys(
            source=f"{p}queue:outgoing",
            taken=f"{p}queue:outgoing:taken",
            items=f"{p}queue:outbound:",
            last=f"{p}last_queued:",
            lock=f"{p}lock:outbound:",
            opened=f"{p}queue:outbound_opened",
            deadlines=f"{p}queue:outbound_deadlines",
            pending=f"{p}queue:outbound_pending",
            fence=f"{p}queue:outbound_fence",
            dead=self.dead("outgoing"),
            typed=f"{p}queue:outbound_typed",
            closing=f"{p}queue:outbound_closing",
        )

    @property
    def tickets(self) -> QueueKeys:
        """The outbox in PostgreSQL -> `queue:tickets` -> `queue:tickets:{channel}:{chat}` -> the channels."""
        p = self.prefix
        return QueueKeys(
            source=f"{p}queue:tickets",
            taken=f"{p}queue:tickets:taken",
            items=f"{p}queue:tickets:",
            last=f"{p}last_ticket:",
            lock=f"{p}lock:tickets:",
            opened=f"{p}queue:tickets_opened",
            deadlines=f"{p}queue:tickets_deadlines",
            pending=f"{p}queue:tickets_pending",
            fence=f"{p}queue:tickets_fence",
            dead=self.dead("outgoing"),
            typed=f"{p}queue:tickets_typed",
            closing=f"{p}queue:tickets_closing",
        )

    def dead(self, door: str) -> str:
        """Dead letters of one door: incoming, outgoing, or webhook:{channel}."""
        return f"{self.prefix}dead:{door}"

    def dead_replayed(self, door: str) -> str:
        """Letters of that door that were replayed, kept until they are purged."""
        return f"{self.prefix}dead:replayed:{door}"

    def letters(self, door: str, state: LetterState) -> str:
        """Where the letters of a door lie that wait, or that were replayed."""
        return self.dead(door) if state == "waiting" else self.dead_replayed(door)

    def seen(self, channel: str, account: str, event_key: str) -> str:
        """How often a vendor's event came, while it is remembered: a repeated webhook is queued once."""
        return f"{self.prefix}seen:{channel}:{account}:{event_key}"

    def sent(self, channel: str, account: str, message_id: str) -> str:
        """Set for each message that we sent ourselves: its echo is ours, not an operator's."""
        return f"{self.prefix}sent:{channel}:{account}:{message_id}"

    def sending(self, channel: str, account: str, chat_id: str) -> str:
        """HASH of a chat's sends under way: an echo may arrive before the vendor's answer.

        open:{fingerprint}:{name of the send}; echo:{fingerprint}:{message id} -> what was taken for one.
        """
        return f"{self.prefix}sending:{channel}:{account}:{chat_id}"

    def paused(self, channel: str, account: str, chat_id: str) -> str:
        """HASH {version, until} of a conversation that a person took over (core/pauses.py)."""
        return f"{self.prefix}paused:{channel}:{account}:{chat_id}"

    def ended(self, what: str) -> str:
        """Set when tokens of an appeal end early: token-{id}, or all of client-{id} made by then, Unix ms."""
        return f"{self.prefix}ended:{what}"

    def idempotency(self, channel: str, account: str, key: str) -> str:
        """What became of a send with this idempotency key."""
        return f"{self.prefix}idem:{channel}:{account}:{key}"

    def confirmed(self, mark: str) -> str:
        """Set for each confirm_token that was used, until it would have expired."""
        return f"{self.prefix}confirmed:{mark}"

    def chat_facts(self, channel: str, account: str, chat_id: str) -> str:
        """A chat's client and ad as the vendor told them, for a while."""
        return f"{self.prefix}facts:{channel}:{account}:{chat_id}"

    def token(self, channel: str, account: str, mark: str) -> str:
        """The vendor's access token of an account, made from the credential that `mark` names."""
        return f"{self.prefix}token:{channel}:{account}:{mark}"

    def chats(self, channel: str, account: str) -> str:
        """ZSET chat id -> time of its last message, Unix ms: chats of vendors that list none."""
        return f"{self.prefix}chats:{channel}:{account}"

    def chats_shown(self, channel: str, account: str) -> str:
        """HASH chat id -> what is known about it (core/known_chats.py)."""
        return f"{self.prefix}chats:{channel}:{account}:shown"

    def swept(self, channel: str, account: str) -> str:
        """Until when the vendor's history was compared with what arrived, Unix ms."""
        return f"{self.prefix}swept:{channel}:{account}"

    def watch(self, channel: str, account: str, work: str) -> str:
        """Held by the replica that looks after the account (watch, sweep), so that one does."""
        return f"{self.prefix}watch:{channel}:{account}:{work}"

    def shelf(self, name: str) -> str:
        """A file on offer to a vendor that fetches media itself (core/shelf.py)."""
        return f"{self.prefix}file:{name}"

    def erased(self) -> str:
        """HASH of who was erased of late (core/erased.py): hashed chat -> when, Unix ms."""
        return f"{self.prefix}erased"

    def rate(self, address: str) -> str:
        """How often this address has posted a form of late."""
        return f"{self.prefix}rate:form:{address}"

    def bell(self, name: str) -> str:
        """Pub/sub channel that wakes waiters of every replica: turns, outbox, ..."""
        return f"{self.prefix}bell:{name}"

    def stream(self, name: str) -> str:
        """STREAM of what happened, for whoever reads along: turns that begin to wait."""
        return f"{self.prefix}stream:{name}"

    def changes(self, service: str) -> str:
        """Pub/sub channel that tells every replica which MCP resource of the service has changed."""
        return f"{self.prefix}changes:{service}"
