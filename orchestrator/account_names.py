"""Which account is meant when none is named: the only one there is, whatever its name."""

from collections.abc import Collection
from typing import Protocol

from core.ids import DEFAULT_ACCOUNT, AccountId
from core.messages import OutgoingMessage
from orchestrator.manifests import KnowsManifests


class NamesAccounts(Protocol):
    """Tells by which account a message goes."""

    async def named(self, message: OutgoingMessage) -> OutgoingMessage: ...


class AccountNames:
    """Asks the channel; one that cannot be asked sends by the account it takes for the default, as ever.

    The id of the message stays: a key names one delivery under the account as the caller wrote it.
    """

    def __init__(self, manifests: KnowsManifests, served: Collection[str]) -> None:
        self._manifests = manifests
        self._served = served

    async def named(self, message: OutgoingMessage) -> OutgoingMessage:
        """The message under the account's own name."""
        account = await self.account(message.channel, message.account)
        return message if account == message.account else message.model_copy(update={"account": account})

    async def account(self, channel: str, account: str) -> AccountId:
        """The account's own name."""
        asked = AccountId(account or DEFAULT_ACCOUNT)
        if asked != DEFAULT_ACCOUNT or channel not in self._served:
            return asked
        manifest = await self._manifests.of(channel)
        if manifest is None or len(manifest.accounts) != 1:
            return asked
        return AccountId(manifest.accounts[0])
