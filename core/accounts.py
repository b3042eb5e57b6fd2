"""The accounts of one channel, by the names that callers give."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from core.channel import Channel
from core.errors import NotFound, Rejected
from core.ids import DEFAULT_ACCOUNT, AccountId
from core.sending import Sender

P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class Account:
    """One account of a channel with what sends for it."""

    channel: Channel
    sender: Sender


class Accounts:
    """ "" and "default" mean the account of that name, or the only one that there is."""

    def __init__(self, accounts: Mapping[AccountId, Account]) -> None:
        self._accounts = accounts

    @property
    def names(self) -> list[AccountId]:
        """All of them, default first."""
        return sorted(self._accounts, key=lambda name: (name != DEFAULT_ACCOUNT, name))

    def name(self, given: str) -> AccountId:
        """The account that is meant. Raises NotFound with those that exist."""
        asked = self.own_name(given)
        if asked in self._accounts:
            return asked
        raise NotFound(f"There is no account {asked[:40]!r}; known: {', '.join(self._accounts)}.")

    def own_name(self, given: str) -> AccountId:
        """What the account that is meant is called; as given when there is none."""
        asked = AccountId(given or DEFAULT_ACCOUNT)
        only = len(self._accounts) == 1 and asked == DEFAULT_ACCOUNT
        return next(iter(self._accounts)) if only else asked

    def one(self, given: str) -> Account:
        """The account. Raises NotFound."""
        return self._accounts[self.name(given)]

    def part(self, given: str, part: type[P]) -> P:
        """The account's channel as one that has this part. Raises NotFound, Rejected."""
        channel = self.one(given).channel
        if not isinstance(channel, part):
            raise Rejected(f"The account {given!r} cannot do this.")
        return channel
