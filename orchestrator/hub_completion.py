"""What completes at the hub: ids of cases, clients, chats and turns, and names of channels and accounts.

Ids are looked for by index, however many rows there are, and the newest come first.
"""

from collections.abc import Mapping

from core.completion import ASKED, Completers, Found
from core.echoes import storage_errors
from core.ids import DEFAULT_ACCOUNT
from core.registry import CHANNEL_NAMES
from core.resource_uris import ACCOUNT_CHAT, APPEAL, CAPABILITIES, CHAT, CLIENT
from orchestrator.account_names import AccountNames
from orchestrator.hub_parts import HubParts
from orchestrator.store.queries import sql
from orchestrator.when_away import database_errors

_LONGEST_ID = 18
#: Behind every text that begins alike, in the order of the index.
_LAST = "\U0010ffff"


class Completion:
    """The completers of the hub; each answers at most ASKED values."""

    def __init__(self, parts: HubParts) -> None:
        self._parts = parts
        self._accounts = AccountNames(parts.manifests, parts.channels)

    def of_templates(self) -> Mapping[str, Completers]:
        """By the templates of hub_reading.py."""
        chat = {"channel": self.channels, "chat_id": self.chats}
        return {
            APPEAL: {"id": self.open_appeals},
            CHAT: chat,
            ACCOUNT_CHAT: {**chat, "account": self.accounts},
            CLIENT: {"id": self.clients},
            CAPABILITIES: {"channel": self.served_channels},
        }

    async def open_appeals(self, begins: str, _: Mapping[str, str]) -> Found:
        """Cases that are not resolved."""
        return await self._ids("complete_open_appeals", begins)

    async def clients(self, begins: str, _: Mapping[str, str]) -> Found:
        """All clients."""
        return await self._ids("complete_clients", begins)

    async def turns(self, begins: str, _: Mapping[str, str]) -> Found:
        """Turns that wait or are worked on."""
        return await self._ids("complete_turns", begins)

    async def chats(self, begins: str, given: Mapping[str, str]) -> Found:
        """Chats of cases, on the channel and account that are given; by their letters."""
        if "\0" in begins or not (channel := given.get("channel", "")):
            return Found(())
        account = await self._accounts.account(channel, given.get("account", DEFAULT_ACCOUNT))
        with storage_errors(), database_errors():
            rows = await self._parts.pool.fetch(
                sql("complete_chats"), channel, account, begins, begins + _LAST, ASKED
            )
        return Found([row["id"] for row in rows])

    async def channels(self, begins: str, _: Mapping[str, str]) -> Found:
        """Channels that a message may have come by."""
        return _beginning(begins, CHANNEL_NAMES | set(self._parts.channels))

    async def served_channels(self, begins: str, _: Mapping[str, str]) -> Found:
        """Channels with a server that is known here."""
        return _beginning(begins, set(self._parts.channels))

    async def accounts(self, begins: str, given: Mapping[str, str]) -> Found:
        """Accounts of the channel that is given."""
        channel = given.get("channel", "")
        manifest = await self._parts.manifests.of(channel) if channel in self._parts.channels else None
        return _beginning(begins, set(manifest.accounts if manifest else ()))

    async def _ids(self, query: str, begins: str) -> Found:
        ranges = ranges_of(begins)
        if not ranges:
            return Found(())
        lows, highs = zip(*ranges, strict=True)
        with storage_errors(), database_errors():
            rows = await self._parts.pool.fetch(sql(query), list(lows), list(highs), ASKED)
        return Found([row["id"] for row in rows])


def ranges_of(begins: str) -> list[tuple[int, int]]:
    """Pure: the numbers that begin with these digits, a range for each length; [] when no id begins so."""
    if not begins:
        return [(1, 10**_LONGEST_ID - 1)]
    if not (begins.isascii() and begins.isdigit()) or begins[0] == "0" or len(begins) > _LONGEST_ID:
        return []
    first = int(begins)
    spans = (10**more for more in range(_LONGEST_ID - len(begins) + 1))
    return [(first * span, (first + 1) * span - 1) for span in spans]


def _beginning(begins: str, names: set[str] | frozenset[str]) -> Found:
    return Found(sorted(name for name in names if name.startswith(begins)))
