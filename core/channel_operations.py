"""What every channel can be asked, built from its contract: a part that a vendor lacks is simply absent."""

from collections.abc import Mapping
from typing import Any

from core import channel as contract
from core.accounts import Account, Accounts
from core.capabilities import Capabilities
from core.channel import Channel
from core.ids import AccountId
from core.operations import Operation
from core.operations_account import AccountAffairs, LinksFiles
from core.operations_capabilities import ChannelCapabilities, Offering
from core.operations_chats import Chats, RemembersChats
from core.operations_messages import Messages
from core.operations_sending import FetchesMedia, Sending
from core.resource_uris import CAPABILITIES, of_channel
from core.resources import ResourceOf

__all__ = ["PARTS", "Account", "ChannelOperations", "capabilities_of"]

#: The optional parts of the contract, as /info names them.
PARTS: tuple[type, ...] = (
    contract.SendsImages,
    contract.SendsVoice,
    contract.SendsVideos,
    contract.SendsDocuments,
    contract.SendsButtons,
    contract.SendsReplies,
    contract.EditsMessages,
    contract.ShowsTyping,
    contract.Reacts,
    contract.KnowsProfiles,
    contract.OpensChats,
    contract.NamesChats,
    contract.ListsChats,
    contract.ShowsChats,
    contract.KeepsHistory,
    contract.MarksRead,
    contract.DeletesMessages,
    contract.Subscribes,
    contract.HasToken,
    contract.ResolvesMedia,
    contract.OpensFiles,
    contract.ShakesHands,
    contract.AnswersPresses,
    contract.TellsTroubles,
    contract.Sweeps,
)


class ChannelOperations:
    """The operations of one channel over its accounts.

    `remembered` answers for vendors that list no chats, `links` for those whose files need our token.
    """

    def __init__(
        self,
        title: str,
        accounts: Mapping[AccountId, Account],
        capabilities: Capabilities,
        fetch: FetchesMedia,
        *,
        remembered: RemembersChats | None = None,
        links: LinksFiles | None = None,
    ) -> None:
        self._some = next(iter(accounts.values())).channel
        known = Accounts(accounts)
        self._sending = Sending(title, known, capabilities, fetch)
        self._chats = Chats(title, known, remembered)
        self._messages = Messages(known)
        self._affairs = AccountAffairs(known, links)
        offered = ChannelCapabilities(
            channel=self._some.name,
            accounts=list(known.names),
            parts=sorted(parts_of(self._some)),
            limits=capabilities,
        )
        self._offering = Offering(title, offered).operation()

    def all(self) -> list[Operation]:
        """Every operation that this channel can serve."""
        return [
            *self._sending.operations(self._some),
            *self._chats.operations(self._some),
            *self._messages.operations(self._some),
            *self._affairs.operations(self._some),
            self._offering,
        ]

    def resources(self) -> list[ResourceOf]:
        """What may be read of this channel under a URI."""
        name = self._some.name
        offering = ResourceOf(of_channel(CAPABILITIES, name), self._offering)
        return [*self._chats.resources(name, self._some), offering]


def capabilities_of(channel: Channel) -> dict[str, Any]:
    """The manifest and the optional parts of a channel, for /info."""
    return channel.capabilities.model_dump() | {"parts": parts_of(channel)}


def parts_of(channel: Channel) -> list[str]:
    """The names of the optional parts that it has."""
    return [part.__name__ for part in PARTS if isinstance(channel, part)]
