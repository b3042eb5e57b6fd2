"""What every channel can be asked, built from its contract: a part that a vendor lacks is simply absent."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Protocol, TypeVar

from pydantic import BaseModel, Field

from core.capabilities import Capabilities
from core.channel import (
    Channel,
    ChatInfo,
    ChatPage,
    DeletesMessages,
    HasToken,
    KeepsHistory,
    ListsChats,
    MarksRead,
    MediaFile,
    MediaLink,
    MessagePage,
    ResolvesMedia,
    SendsImages,
    ShowsChats,
    Subscribes,
    TokenStatus,
    WebhookStatus,
)
from core.errors import ChannelError, NotFound, Rejected
from core.ids import AccountId, ChatId, MessageId
from core.media import decode_base64_image
from core.operations import Operation
from core.sending import Sender

TEXT_MAX = 20_000
BULK_MAX = 100

C = TypeVar("C")

ChatArgument = Annotated[str, Field(min_length=1, max_length=512, description="From list_chats or a turn")]
TextArgument = Annotated[
    str, Field(min_length=1, max_length=TEXT_MAX, description="Plain text; a long one is split in order")
]
AccountArgument = Annotated[str, Field(max_length=32, description="Which account of this messenger")]
KeyArgument = Annotated[
    str, Field(max_length=200, description="Repeat it on a retry and the message is sent once")
]
LimitArgument = Annotated[int, Field(ge=1, le=100, description="Rows per page")]
CursorArgument = Annotated[
    str, Field(max_length=500, description="next_cursor of the page before; empty first")
]
UrlArgument = Annotated[
    str, Field(min_length=8, max_length=2000, description="Public address of our webhook")
]


class SentMessage(BaseModel):
    """A message that the messenger took."""

    message_ids: list[str] = Field(description="one per part, in order")
    duplicate: bool = Field(default=False, description="true: this idempotency key had been sent before")


class BulkOutcome(BaseModel):
    """What became of one message of a bulk."""

    chat_id: str
    message_ids: list[str] = Field(default_factory=list)
    error: str = Field(default="", description="code: what happened; empty when it was sent")


class BulkResult(BaseModel):
    """What became of a bulk, in the order of the request."""

    sent: int
    failed: int
    outcomes: list[BulkOutcome]


class Done(BaseModel):
    """It was done."""

    ok: bool = True


class FetchesMedia(Protocol):
    """Loads a picture from a public address (core/media.py)."""

    async def __call__(self, url: str) -> MediaFile: ...


@dataclass(frozen=True, slots=True)
class Account:
    """One account of a channel with what sends for it."""

    channel: Channel
    sender: Sender


class ChannelOperations:
    """The operations of one channel over its accounts."""

    def __init__(
        self,
        title: str,
        accounts: Mapping[AccountId, Account],
        capabilities: Capabilities,
        fetch: FetchesMedia,
    ) -> None:
        self._title = title
        self._accounts = accounts
        self._capabilities = capabilities
        self._fetch = fetch

    def all(self) -> list[Operation]:
        """Every operation that this channel can serve."""
        some = next(iter(self._accounts.values())).channel
        return [
            *self._sending(some),
            *(self._listing() if isinstance(some, ListsChats) else []),
            *(self._showing() if isinstance(some, ShowsChats) else []),
            *(self._history() if isinstance(some, KeepsHistory) else []),
            *(self._reading() if isinstance(some, MarksRead) else []),
            *(self._deleting() if isinstance(some, DeletesMessages) else []),
            *(self._subscribing() if isinstance(some, Subscribes) else []),
            *(self._token() if isinstance(some, HasToken) else []),
            *(self._media() if isinstance(some, ResolvesMedia) else []),
        ]

    def _sending(self, channel: Channel) -> list[Operation]:
        on, path = f"on {self._title}", "/api/messages/send"
        text = Operation("send_message", f"Send a message {on}", "POST", path, self._send_message, "send")
        bulk = Operation("send_bulk", f"Send to many {on}", "POST", f"{path}/bulk", self._send_bulk, "send")
        if not isinstance(channel, SendsImages):
            return [text, bulk]
        image = Operation(
            "send_image", f"Send a picture {on}", "POST", f"{path}/image", self._send_image, "send"
        )
        return [text, image, bulk]

    def _listing(self) -> list[Operation]:
        title = f"List {self._title} chats"
        return [Operation("list_chats", title, "GET", "/api/chats", self._list_chats, "read")]

    def _showing(self) -> list[Operation]:
        title, path = f"Get a chat of {self._title}", "/api/chats/{chat_id}"
        return [Operation("get_chat", title, "GET", path, self._get_chat, "read")]

    def _history(self) -> list[Operation]:
        title, path = f"List messages of a chat on {self._title}", "/api/chats/{chat_id}/messages"
        return [Operation("list_messages", title, "GET", path, self._list_messages, "read")]

    def _reading(self) -> list[Operation]:
        path = "/api/chats/{chat_id}/read"
        return [Operation("mark_read", "Mark a chat as read", "POST", path, self._mark_read, "change")]

    def _deleting(self) -> list[Operation]:
        path = "/api/chats/{chat_id}/messages/{message_id}/delete"
        return [Operation("delete_message", "Delete our message", "POST", path, self._delete, "delete")]

    def _subscribing(self) -> list[Operation]:
        on, off, show = (f"/api/webhook/{word}" for word in ("subscribe", "unsubscribe", "status"))
        return [
            Operation("subscribe_webhook", "Subscribe our webhook", "POST", on, self._subscribe, "change"),
            Operation("webhook_status", "Show webhook status", "GET", show, self._webhook_status, "read"),
            Operation(
                "unsubscribe_webhook", "Unsubscribe a webhook", "POST", off, self._unsubscribe, "delete"
            ),
        ]

    def _token(self) -> list[Operation]:
        show, new = self._token_status, self._refresh
        return [
            Operation("token_status", "Show token status", "GET", "/api/token", show, "read", tool=False),
            Operation(
                "refresh_token", "Refresh token", "POST", "/api/token/refresh", new, "change", tool=False
            ),
        ]

    def _media(self) -> list[Operation]:
        run = self._media_link
        return [
            Operation("media_link", "Link a file", "GET", "/api/media/{file_id}", run, "read", tool=False)
        ]

    def _account(self, account: str) -> Account:
        found = self._accounts.get(AccountId(account))
        if found is None:
            raise NotFound(f"There is no account {account[:40]!r}; known: {', '.join(self._accounts)}.")
        return found

    def _part(self, account: str, part: type[C]) -> C:
        channel = self._account(account).channel
        if not isinstance(channel, part):
            raise Rejected(f"The account {account!r} cannot do this.")
        return channel

    async def _send_message(
        self,
        chat_id: ChatArgument,
        text: TextArgument,
        idempotency_key: KeyArgument = "",
        account: AccountArgument = "default",
    ) -> SentMessage:
        """Send one text to a customer's chat; the customer sees it at once and it cannot be taken back."""
        sent = await self._account(account).sender.send_text(ChatId(chat_id), text, idempotency_key)
        return SentMessage(message_ids=list(sent.message_ids), duplicate=sent.duplicate)

    async def _send_image(
        self,
        chat_id: ChatArgument,
        image_url: Annotated[
            str, Field(max_length=2000, description="Public https address of the picture")
        ] = "",
        image_base64: Annotated[str, Field(description="Or the picture itself in base64")] = "",
        caption: Annotated[str, Field(max_length=TEXT_MAX, description="Words to go with it")] = "",
        idempotency_key: KeyArgument = "",
        account: AccountArgument = "default",
    ) -> SentMessage:
        """Send one picture, by address or as base64, with words if wanted."""
        sender = self._account(account).sender
        image = await self._image(image_url, image_base64)
        sent = await sender.send_image(ChatId(chat_id), image, caption, idempotency_key)
        return SentMessage(message_ids=list(sent.message_ids), duplicate=sent.duplicate)

    async def _send_bulk(
        self,
        chat_ids: Annotated[
            list[str], Field(min_length=1, max_length=BULK_MAX, description="Chats, from list_chats")
        ],
        text: TextArgument,
        idempotency_key: KeyArgument = "",
        account: AccountArgument = "default",
    ) -> BulkResult:
        """Send the same text to several chats, one after the other; each chat has its own outcome."""
        sender = self._account(account).sender
        outcomes = []
        for chat_id in dict.fromkeys(chat_ids):
            key = f"{idempotency_key}:{chat_id}" if idempotency_key else ""
            outcomes.append(await _bulk_one(sender, chat_id, text, key))
        sent = sum(not outcome.error for outcome in outcomes)
        return BulkResult(sent=sent, failed=len(outcomes) - sent, outcomes=outcomes)

    async def _list_chats(
        self, limit: LimitArgument = 20, cursor: CursorArgument = "", account: AccountArgument = "default"
    ) -> ChatPage:
        """List customers' chats, newest first, with the ad each is about. Start here to find a chat_id."""
        return await self._part(account, ListsChats).list_chats(limit, cursor)

    async def _get_chat(self, chat_id: ChatArgument, account: AccountArgument = "default") -> ChatInfo:
        """Get one chat: who the customer is and which ad it is about."""
        return await self._part(account, ShowsChats).get_chat(ChatId(chat_id))

    async def _list_messages(
        self,
        chat_id: ChatArgument,
        limit: LimitArgument = 20,
        cursor: CursorArgument = "",
        account: AccountArgument = "default",
    ) -> MessagePage:
        """List the messages of a chat, newest first."""
        return await self._part(account, KeepsHistory).list_messages(ChatId(chat_id), limit, cursor)

    async def _mark_read(self, chat_id: ChatArgument, account: AccountArgument = "default") -> Done:
        """Mark the whole chat as read by the business."""
        await self._part(account, MarksRead).mark_read(ChatId(chat_id))
        return Done()

    async def _delete(
        self,
        chat_id: ChatArgument,
        message_id: Annotated[str, Field(min_length=1, max_length=512, description="From send_message")],
        account: AccountArgument = "default",
    ) -> Done:
        """Delete one of our own messages while the messenger still allows it."""
        await self._part(account, DeletesMessages).delete_message(ChatId(chat_id), MessageId(message_id))
        return Done()

    async def _subscribe(
        self,
        url: UrlArgument,
        version: Annotated[str, Field(max_length=20, description="Only for vendors with versions")] = "",
        account: AccountArgument = "default",
    ) -> WebhookStatus:
        """Ask the messenger to deliver messages to this address; repeating is harmless."""
        del version  # part of the REST contract; each channel subscribes with the version it speaks
        return await self._part(account, Subscribes).subscribe_webhook(url)

    async def _webhook_status(self, account: AccountArgument = "default") -> WebhookStatus:
        """Show where the messenger delivers messages now."""
        return await self._part(account, Subscribes).webhook_status()

    async def _unsubscribe(self, url: UrlArgument, account: AccountArgument = "default") -> WebhookStatus:
        """Stop the deliveries to this address."""
        return await self._part(account, Subscribes).unsubscribe_webhook(url)

    async def _token_status(self, account: AccountArgument = "default") -> TokenStatus:
        """Show whether an access token is held and until when."""
        return await self._part(account, HasToken).token_status()

    async def _refresh(self, account: AccountArgument = "default") -> TokenStatus:
        """Ask the messenger for a fresh access token."""
        return await self._part(account, HasToken).refresh_token()

    async def _media_link(
        self,
        file_id: Annotated[str, Field(min_length=1, max_length=512, description="From a message")],
        account: AccountArgument = "default",
    ) -> MediaLink:
        """Get a link that opens a voice note or file now."""
        return await self._part(account, ResolvesMedia).media_link(file_id)

    async def _image(self, image_url: str, image_base64: str) -> MediaFile:
        if bool(image_url) == bool(image_base64):
            raise Rejected("Give either image_url or image_base64.")
        if image_url:
            return await self._fetch(image_url)
        limits = self._capabilities.media["image"]
        return decode_base64_image(image_base64, max_bytes=limits.max_bytes, allowed_types=limits.types)


async def _bulk_one(sender: Sender, chat_id: str, text: str, key: str) -> BulkOutcome:
    try:
        sent = await sender.send_text(ChatId(chat_id), text, key)
    except ChannelError as error:
        return BulkOutcome(chat_id=chat_id, error=f"{error.code}: {error.detail}")
    return BulkOutcome(chat_id=chat_id, message_ids=list(sent.message_ids))


def capabilities_of(channel: Channel) -> dict[str, Any]:
    """The manifest and the optional parts of a channel, for /info."""
    parts = (
        SendsImages,
        ListsChats,
        ShowsChats,
        KeepsHistory,
        MarksRead,
        DeletesMessages,
        Subscribes,
        HasToken,
        ResolvesMedia,
    )
    return channel.capabilities.model_dump() | {
        "parts": [part.__name__ for part in parts if isinstance(channel, part)]
    }
