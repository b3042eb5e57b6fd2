"""Where a client can be reached whose own channel has no way back, such as a web form.

First a chat in which they have written to us and which can still be answered, the latest; else the messenger
in which the business may write first, by their phone.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from core.clock import Clock
from core.errors import AuthFailed, ChannelError, PeerUnreachable, PlanRequired, SessionLost
from orchestrator.manifests import KnowsManifests, Manifest
from orchestrator.recent import Recent
from orchestrator.store.pool import Executor, Pool
from orchestrator.store.queries import sql
from orchestrator.ways import Way

#: Where the business may write first, to a phone.
WRITES_FIRST = "whatsapp"
#: A number that has been looked up is not looked up again before.
_REMEMBER_SECONDS = 300.0
#: What a chat has answered when it can be written to no longer.
_REFUSALS = [cls.code for cls in ChannelError.__subclasses__() if cls.reaction == "stop_chat"]
#: The account is at fault, not the number: another account may do.
_ACCOUNT_FAULTS = (AuthFailed, PlanRequired, SessionLost)

NOBODY = "the client has no phone and has written on no messenger"
TOO_LATE = "no chat of the client can be answered any more, and they gave no phone"
NO_MESSENGER = "there is only a phone, and no WhatsApp account to write to it from"
NOT_THERE = "the number has no WhatsApp"


@dataclass(frozen=True, slots=True)
class KnownChat:
    """A chat in which the client has written, and when they did last."""

    channel: str
    account: str
    external_chat_id: str
    last_at: datetime


@dataclass(frozen=True, slots=True)
class NoWay:
    """The client cannot be reached; why, in words. `passing`: trying again may find a way."""

    reason: str
    passing: bool = False


class OpensChats(Protocol):
    """The part of the channels' client that is used here (orchestrator/channels.py)."""

    @property
    def names(self) -> frozenset[str]: ...

    async def chat_of_phone(self, channel: str, account: str, phone: str) -> str: ...


class FindsWay(Protocol):
    """Tells where a client can be reached."""

    async def way(self, client_id: int) -> Way | NoWay: ...


class Reach:
    """Asks the database, then the channels; never one inside the other."""

    def __init__(self, pool: Pool, channels: OpensChats, manifests: KnowsManifests, clock: Clock) -> None:
        self._pool = pool
        self._channels = channels
        self._manifests = manifests
        self._clock = clock
        self._opened: Recent[tuple[str, str], Way | NoWay] = Recent(clock, seconds=_REMEMBER_SECONDS)

    async def way(self, client_id: int) -> Way | NoWay:
        """The chat to write to, or why there is none. Raises a ChannelError when nobody can tell now."""
        chats = [
            chat for chat in await chats_of(self._pool, client_id) if chat.channel in self._channels.names
        ]
        if chosen := await self._answerable(chats):
            return Way(chosen.channel, chosen.account, chosen.external_chat_id)
        phone = await self._pool.fetchval(sql("attested_phone"), client_id)
        if phone is None:
            return NoWay(TOO_LATE if chats else NOBODY)
        return await self._first_to(phone)

    async def _answerable(self, chats: Sequence[KnownChat]) -> KnownChat | None:
        served = sorted({chat.channel for chat in chats})
        manifests = {name: await self._manifests.of(name) for name in served}
        now = datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC)
        return answerable(chats, manifests, now)

    async def _first_to(self, phone: str) -> Way | NoWay:
        accounts = await self._accounts()
        if not accounts:
            return NoWay(NO_MESSENGER)
        key = (WRITES_FIRST, phone)
        known = self._opened.get(key)
        if known is None:
            known = await self._open(phone, accounts)
            self._opened.keep(key, known)
        return known

    async def _accounts(self) -> Collection[str]:
        """The accounts that may write first, in the order in which they are tried."""
        if WRITES_FIRST not in self._channels.names:
            return ()
        manifest = await self._manifests.of(WRITES_FIRST)
        return manifest.accounts if manifest is not None and manifest.has("OpensChats") else ()

    async def _open(self, phone: str, accounts: Collection[str]) -> Way | NoWay:
        fault: ChannelError | None = None
        for account in accounts:
            try:
                chat = await self._channels.chat_of_phone(WRITES_FIRST, account, phone)
            except PeerUnreachable:
                return NoWay(NOT_THERE)
            except _ACCOUNT_FAULTS as error:
                fault = fault or error
            else:
                return Way(WRITES_FIRST, account, chat, phone=phone)
        if fault is not None:
            raise fault
        return NoWay(NO_MESSENGER)


async def chats_of(executor: Executor, client_id: int) -> list[KnownChat]:
    """The chats in which the client alone has written, and which have refused nothing since; latest first."""
    rows = await executor.fetch(sql("chats_of_client"), client_id, _REFUSALS)
    return [KnownChat(**dict(row)) for row in rows]


def answerable(
    chats: Sequence[KnownChat], manifests: Mapping[str, Manifest | None], now: datetime
) -> KnownChat | None:
    """Pure: the first chat on a served channel whose reply window is open.

    `manifests` has the served channels; of one that nobody could ask the best is believed.
    """
    for chat in chats:
        if chat.channel in manifests and _is_open(chat, manifests[chat.channel], now):
            return chat
    return None


def _is_open(chat: KnownChat, manifest: Manifest | None, now: datetime) -> bool:
    if manifest is None:
        return True
    window = manifest.reply_window_seconds
    in_time = window is None or now - chat.last_at < timedelta(seconds=window)
    return in_time and chat.account in manifest.accounts
