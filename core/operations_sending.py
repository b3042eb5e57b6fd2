"""Operations that write to customers: a text, a picture, a file, the same text to many."""

import asyncio
from typing import Annotated, Any, Literal, Protocol, cast

from pydantic import BaseModel, Field, WithJsonSchema, create_model

from core.accounts import Accounts
from core.arguments import (
    BASE64_MAX,
    AccountArgument,
    CaptionArgument,
    ChatArgument,
    KeyArgument,
    TextArgument,
)
from core.auth import speaks_now
from core.capabilities import Capabilities, MediaKind
from core.channel import Channel, MediaFile, SendsReplies
from core.errors import ChannelError, Rejected
from core.ids import ChatId
from core.lanes import PATIENT, in_lane
from core.media import decode_base64
from core.media_kinds import kinds_of, refuse_kind
from core.messages import MOST_BUTTONS, Label
from core.operations import Arguments, Operation, asking
from core.progress import tell_progress
from core.rehearsed_sending import RehearsedSending
from core.sending import Sender, Sent

BULK_MAX = 100
_PATH = "/api/messages/send"
#: These go through core/sending.py, which knows what had begun before a pause.
SENT_WITH_CARE = frozenset({"send_message", "send_image", "send_file", "send_bulk"})


class SentMessage(BaseModel):
    """A message that the messenger took."""

    message_ids: list[str] = Field(description="one per part, in order")
    duplicate: bool = Field(default=False, description="true: this idempotency key had been sent before")


class BulkOutcome(BaseModel):
    """What became of one message of a bulk."""

    chat_id: str
    message_ids: list[str] = Field(default_factory=list)
    error_untrusted: str = Field(default="", description="code: what happened; empty when it was sent")


class BulkResult(BaseModel):
    """What became of a bulk, in the order of the request."""

    sent: int
    failed: int
    outcomes: list[BulkOutcome]


class Message(Arguments):
    """What send_message asks for."""

    chat_id: ChatArgument
    text: TextArgument
    buttons: Annotated[
        tuple[Label, ...],
        Field(
            max_length=MOST_BUTTONS,
            description="Short answers to tap; numbered lines where there are no buttons",
            examples=[["Да", "Нет"]],
        ),
    ] = ()
    idempotency_key: KeyArgument = ""
    account: AccountArgument = "default"


class Reply(Message):
    """The same where a message can quote another."""

    reply_to: Annotated[
        str, Field(max_length=512, description="message_id that this one quotes", examples=["6f2e91"])
    ] = ""


class File(Arguments):
    """What send_file asks for; each channel limits the kinds to its own."""

    chat_id: ChatArgument
    kind: str
    file_url: Annotated[
        str,
        Field(
            max_length=2000,
            description="Public https address of the file",
            examples=["https://shop.example/price.pdf"],
        ),
    ] = ""
    file_base64: Annotated[
        str,
        Field(max_length=BASE64_MAX, description="Or the file itself in base64", examples=["JVBERi0xLjQ="]),
    ] = ""
    file_name: Annotated[str, Field(max_length=200, description="Empty: its own", examples=["price.pdf"])] = (
        ""
    )
    caption: CaptionArgument = ""
    idempotency_key: KeyArgument = ""
    account: AccountArgument = "default"


class FetchesMedia(Protocol):
    """Loads a file from a public address (core/media_fetch.py)."""

    async def __call__(self, url: str, kind: MediaKind, name: str) -> MediaFile: ...


class Sending:
    """What writes to customers of one channel."""

    def __init__(
        self, title: str, accounts: Accounts, capabilities: Capabilities, fetch: FetchesMedia
    ) -> None:
        self._title = title
        self._accounts = accounts
        self._media = capabilities.media
        self._fetch = fetch
        self._rehearsed = RehearsedSending(accounts, capabilities)

    def operations(self, some: Channel) -> list[Operation]:
        """Those that a channel with these parts can serve."""
        on, kinds = f"on {self._title}", kinds_of(some)
        asked = Reply if isinstance(some, SendsReplies) else Message
        text, dry = asking(asked, self._send_message), self._rehearsed
        found = [
            Operation(
                "send_message", f"Send a message {on}", "POST", _PATH, text, "send", rehearse=dry.message
            )
        ]
        if "image" in kinds:
            path, image = f"{_PATH}/image", self._send_image
            found.append(
                Operation(
                    "send_image", f"Send a picture {on}", "POST", path, image, "send", rehearse=dry.image
                )
            )
        if files := tuple(kind for kind in kinds if kind != "image"):
            path, file = f"{_PATH}/file", asking(_file_of(files), self._send_file)
            found.append(
                Operation("send_file", f"Send a file {on}", "POST", path, file, "send", rehearse=dry.file)
            )
        path, bulk = f"{_PATH}/bulk", self._send_bulk
        found.append(
            Operation("send_bulk", f"Send to many {on}", "POST", path, bulk, "bulk", rehearse=dry.bulk)
        )
        return found

    async def _send_message(self, asked: Message) -> SentMessage:
        """Send one text to a customer's chat, to answer or tell something; it is seen at once."""
        reply_to = asked.reply_to if isinstance(asked, Reply) else ""
        send = self._accounts.one(asked.account).sender.send_text
        chat_id, key = ChatId(asked.chat_id), asked.idempotency_key
        by = speaks_now()
        sent = await send(chat_id, asked.text, key, buttons=asked.buttons, reply_to=reply_to, speaker=by)
        return _as_sent(sent)

    async def _send_image(
        self,
        chat_id: ChatArgument,
        image_url: Annotated[
            str,
            Field(
                max_length=2000,
                description="Public https address of the picture",
                examples=["https://shop.example/screen.jpg"],
            ),
        ] = "",
        image_base64: Annotated[
            str,
            Field(
                max_length=BASE64_MAX, description="Or the picture itself in base64", examples=["/9j/4AAQ"]
            ),
        ] = "",
        caption: CaptionArgument = "",
        idempotency_key: KeyArgument = "",
        account: AccountArgument = "default",
    ) -> SentMessage:
        """Send one picture, by address or as base64, when the customer should see something."""
        sender = self._accounts.one(account).sender
        if bool(image_url) == bool(image_base64):
            raise Rejected("Give either image_url or image_base64.")
        image = await self._loaded("image", image_url, image_base64)
        chat, by = ChatId(chat_id), speaks_now()
        return _as_sent(await sender.send_file(chat, "image", image, caption, idempotency_key, speaker=by))

    async def _send_file(self, asked: File) -> SentMessage:
        """Send one file that is no picture, by address or as base64, when a text is not enough."""
        sender, kind = self._accounts.one(asked.account).sender, cast(MediaKind, asked.kind)
        if bool(asked.file_url) == bool(asked.file_base64):
            raise Rejected("Give either file_url or file_base64.")
        file = await self._loaded(kind, asked.file_url, asked.file_base64, asked.file_name)
        chat_id, key = ChatId(asked.chat_id), asked.idempotency_key
        sent = await sender.send_file(chat_id, kind, file, asked.caption, key, speaker=speaks_now())
        return _as_sent(sent)

    async def _send_bulk(
        self,
        chat_ids: Annotated[
            list[Annotated[str, Field(min_length=1, max_length=512)]],
            Field(
                min_length=1,
                max_length=BULK_MAX,
                description="From list_chats",
                examples=[["u2i-8f3a", "u2i-91c0"]],
            ),
        ],
        text: TextArgument,
        idempotency_key: KeyArgument = "",
        account: AccountArgument = "default",
    ) -> BulkResult:
        """Send the same text to several chats, when all must be told; each has its own outcome."""
        sender = self._accounts.one(account).sender
        chats = list(dict.fromkeys(chat_ids))
        outcomes = []
        with in_lane(PATIENT):
            for chat_id in chats:
                key = f"{idempotency_key}:{chat_id}" if idempotency_key else ""
                outcomes.append(await _bulk_one(sender, chat_id, text, key))
                await tell_progress(len(outcomes), len(chats))
        sent = sum(not outcome.error_untrusted for outcome in outcomes)
        return BulkResult(sent=sent, failed=len(outcomes) - sent, outcomes=outcomes)

    async def _loaded(self, kind: MediaKind, url: str, base64: str, name: str = "") -> MediaFile:
        if url:
            return await self._fetch(url, kind, name)
        limit = self._media.get(kind)
        if limit is None:
            raise refuse_kind(kind)
        return await asyncio.to_thread(decode_base64, base64, kind, limit, name=name)


def _file_of(kinds: tuple[MediaKind, ...]) -> type[File]:
    """The arguments of send_file with these kinds alone."""
    one_of: Any = Annotated[
        cast(Any, Literal)[kinds],
        WithJsonSchema({"type": "string", "enum": list(kinds)}),  # of one kind, pydantic would make a `const`
        Field(description="How the customer is shown it" if len(kinds) > 1 else "The one kind there is"),
    ]
    return create_model("FileOfChannel", __base__=File, kind=(one_of, ...))


def _as_sent(sent: Sent) -> SentMessage:
    return SentMessage(message_ids=list(sent.message_ids), duplicate=sent.duplicate)


async def _bulk_one(sender: Sender, chat_id: str, text: str, key: str) -> BulkOutcome:
    try:
        sent = await sender.send_text(ChatId(chat_id), text, key, speaker=speaks_now())
    except ChannelError as error:
        return BulkOutcome(chat_id=chat_id, error_untrusted=f"{error.code}: {error.detail}")
    return BulkOutcome(chat_id=chat_id, message_ids=list(sent.message_ids))
