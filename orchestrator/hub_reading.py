"""What may be read and watched at the hub under a URI, beside the inbox."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated

from pydantic import BaseModel, Field

from core.errors import NotFound, VendorDown
from core.operations import Operation
from core.operations_capabilities import ChannelCapabilities
from core.resource_uris import ACCOUNT_CHAT, APPEAL, CAPABILITIES, CHAT, CLIENT
from core.resources import ResourceOf
from orchestrator.account_names import AccountNames
from orchestrator.clients import get_client
from orchestrator.cursors import place_of
from orchestrator.history import MessageView, messages_of_chat
from orchestrator.hub_arguments import CursorArgument, LimitArgument
from orchestrator.hub_completion import Completion
from orchestrator.hub_models import HistoryLine
from orchestrator.hub_parts import HubParts
from orchestrator.hub_views import history_line, iso
from orchestrator.media_links import ShowsMedia
from orchestrator.pauses import pause_in_force
from orchestrator.store.errors import Unstorable, only_storable
from orchestrator.store.queries import sql

_LAST = 50

ChannelArgument = Annotated[str, Field(min_length=1, max_length=32, description="Such as avito")]
ChatArgument = Annotated[str, Field(min_length=1, max_length=512, description="From a turn or an appeal")]
AccountArgument = Annotated[
    str, Field(min_length=1, max_length=32, description="Which account of the channel")
]


class ConversationLine(HistoryLine):
    """One message of a chat."""

    message_id: str = Field(default="", description="the messenger's; empty: it is not sent yet")
    delivery_state: str = Field(
        default="", description="of our own: queued, sending, sent, delivered, read, …"
    )


class Conversation(BaseModel):
    """A chat with a page of its messages, the last ones first; on a page the oldest first."""

    channel: str
    account: str
    chat_id: str
    client_id: str
    client_name_untrusted: str = ""
    appeal_id: str = Field(default="", description="the case that is open; empty: none")
    paused: bool = Field(default=False, description="a person has it: do not write there")
    paused_until: str = Field(default="", description="ISO 8601, UTC; empty: until somebody resumes")
    messages: list[ConversationLine]
    next_cursor: str = Field(default="", description="of the page of older ones; empty: there are none")


class ReadingDesk:
    """`known` are the other desks' operations, by name: what is a tool is read as the tool reads it."""

    def __init__(self, parts: HubParts, known: Mapping[str, Operation]) -> None:
        self._parts = parts
        self._pool = parts.pool
        self._known = known
        self._accounts = AccountNames(parts.manifests, parts.channels)
        chat, can = "/api/conversations/{channel}/{chat_id}", "/api/channels/{channel}/capabilities"
        self._chat = Operation("read_conversation", "Chat", "GET", chat, self._read, "read", tool=False)
        self._can = Operation(
            "channel_capabilities", "What a channel can do", "GET", can, self._offered, "status", tool=False
        )

    def operations(self) -> list[Operation]:
        """For programs; models have the case and the client as tools."""
        return [self._chat, self._can]

    def resources(self) -> list[ResourceOf]:
        """Each of them is a template; completion tells what may stand in its places."""
        completers = Completion(self._parts).of_templates()
        return [replace(one, completers=completers[one.uri]) for one in self._templates()]

    @property
    def case(self) -> ResourceOf:
        """An appeal with its messages."""
        return ResourceOf(APPEAL, self._known["get_appeal"], {"id": "appeal_id"}, title="Appeal")

    def _templates(self) -> list[ResourceOf]:
        return [
            self.case,
            ResourceOf(CHAT, self._chat),
            ResourceOf(ACCOUNT_CHAT, self._chat, title="Chat of one of several accounts"),
            ResourceOf(CLIENT, self._known["get_client"], {"id": "client_id"}, title="Client"),
            ResourceOf(CAPABILITIES, self._can),
        ]

    async def _read(
        self,
        channel: ChannelArgument,
        chat_id: ChatArgument,
        account: AccountArgument = "default",
        limit: LimitArgument = _LAST,
        cursor: CursorArgument = "",
    ) -> Conversation:
        """Read a chat, the last page first: messages with what became of ours, client, case, who has it."""
        before = place_of(cursor)
        chat = (channel, await self._accounts.account(channel, account), chat_id)
        try:
            with only_storable():
                found = await messages_of_chat(self._pool, *chat, last=limit + 1, before=before)
        except Unstorable:
            found = []
        messages = found[-limit:]
        if not messages and not cursor:
            raise NotFound(f"Nothing has been said in the chat {chat_id[:80]!r} of {channel}.")
        whose = await self._pool.fetchrow(sql("whose_chat"), *chat)
        client = await get_client(self._pool, whose["client_id"]) if whose else None
        pause = await pause_in_force(self._pool, chat, self._parts.now())
        return Conversation(
            channel=channel,
            account=chat[1],
            chat_id=chat_id,
            client_id=str(client.id) if client else "",
            client_name_untrusted=(client.name or "") if client else "",
            appeal_id=str(whose["appeal_id"] or "") if whose else "",
            paused=pause is not None,
            paused_until=iso(pause.until) if pause and pause.until else "",
            messages=[_line(message, self._parts.files) for message in messages],
            next_cursor=str(messages[0].id) if len(found) > limit else "",
        )

    async def _offered(self, channel: ChannelArgument) -> ChannelCapabilities:
        """Tell what can be sent and done on a channel, and within which limits."""
        if channel not in self._parts.channels:
            raise NotFound(
                f"There is no channel {channel!r}; there are {', '.join(sorted(self._parts.channels))}."
            )
        manifest = await self._parts.manifests.of(channel)
        if manifest is None or manifest.limits is None:
            raise VendorDown(f"The {channel} server has not told yet what it can do.", channel=channel)
        return ChannelCapabilities(
            channel=channel,
            accounts=list(manifest.accounts),
            parts=sorted(manifest.parts),
            limits=manifest.limits,
        )


def _line(message: MessageView, files: ShowsMedia) -> ConversationLine:
    return ConversationLine(
        **history_line(message, files).model_dump(),
        message_id=message.external_message_id,
        delivery_state=message.delivery_state,
    )
