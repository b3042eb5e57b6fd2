"""Pure: what a chat's gathered messages amount to: in order, no repeats, edits and deletes applied."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from core.ids import AccountId, ChannelName, ChatId, MessageId, UserId
from core.messages import File, IncomingMessage, Media

#: Why the gathering ended. A button, a command and an operator's words end it at once.
ClosedBy = Literal["silence", "longest", "count", "button", "command", "takeover"]

#: Events that are something said; all others change or report on a message that was said before.
SAID = frozenset({"message", "postback", "operator_message", "notice"})
#: Of these, what the customer says and an agent answers.
ASKED = frozenset({"message", "postback"})
#: Events whose external_user_id is the customer's; an operator's or a notice's may be the account's own.
_NAMES_THE_CUSTOMER = ASKED | {"edit", "reaction"}


@dataclass(frozen=True, slots=True)
class ChatContext:
    """What was learned beside the messages (the channel's get_chat and get_profile); "" when unknown.

    `client_phone` is one that the vendor vouches for. `kept` {source: key} are files of the messages that the
    content store has already.
    """

    client_name: str = ""
    client_phone: str = ""
    client_username: str = ""
    client_profile_url: str = ""
    client_avatar_url: str = ""
    client_language: str = ""
    ad_id: str = ""
    ad_title: str = ""
    ad_price: str = ""
    ad_url: str = ""
    kept: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Item:
    """One thing said, as it stands when the batch closes."""

    message: IncomingMessage
    text: str
    media: Media
    edited_at: datetime | None = None
    deleted_at: datetime | None = None
    reaction: str = ""

    @property
    def message_type(self) -> str:
        """What kind of message it is."""
        return "notice" if self.message.event == "notice" else message_type(self.media)

    @property
    def asks(self) -> bool:
        """Whether an agent should answer it."""
        return self.message.event in ASKED and self.deleted_at is None


@dataclass(frozen=True, slots=True)
class Batch:
    """What happened in one chat: `items` were said, `changes` concern messages from before the batch.

    `gathered_at` is when the first of them was collected, `due_at` when the gathering ended.
    """

    channel: ChannelName
    account: AccountId
    external_chat_id: ChatId
    items: tuple[Item, ...]
    changes: tuple[IncomingMessage, ...]
    closed_by: ClosedBy
    context: ChatContext = field(default=ChatContext())
    gathered_at: datetime | None = None
    due_at: datetime | None = None

    @property
    def texts(self) -> list[str]:
        """The words that ask for an answer."""
        return [item.text for item in self.items if item.asks and item.text]

    @property
    def message_type(self) -> str:
        """The kind of all messages that ask, "mixed" when they differ, "text" when none asks."""
        kinds = {item.message_type for item in self.items if item.asks}
        return kinds.pop() if len(kinds) == 1 else "mixed" if kinds else "text"

    @property
    def messages(self) -> tuple[IncomingMessage, ...]:
        """Every message and change that the batch keeps."""
        return (*(item.message for item in self.items), *self.changes)

    @property
    def external_user_id(self) -> UserId | None:
        """The customer who writes; None when only an operator or the vendor did."""
        spoke = (m.external_user_id for m in self.messages if m.event in _NAMES_THE_CUSTOMER)
        return next(spoke, None)


def gather(
    messages: Sequence[IncomingMessage], *, closed_by: ClosedBy, context: ChatContext | None = None
) -> Batch:
    """A batch of the messages of one chat, given in order of arrival.

    [hello@1, price?@2, hello@1, edit(price? -> how much?)@3] -> items hello, how much?
    Raises ValueError for no messages, or messages of several chats.
    """
    ordered = sorted(messages, key=lambda message: message.timestamp)
    chats = {(message.channel, message.account, message.external_chat_id) for message in ordered}
    if len(chats) != 1:
        raise ValueError(f"a batch is of one chat, not of {len(chats)}")
    [(channel, account, chat)] = chats
    said = _first_of_each(message for message in ordered if message.event in SAID)
    changes = [message for message in ordered if message.event not in SAID]
    of_target = _by_target(changes)
    return Batch(
        channel,
        account,
        chat,
        items=tuple(_changed(item, of_target.get(name, ())) for name, item in said.items()),
        changes=_last_of_each(change for change in changes if target_of(change) not in said),
        closed_by=closed_by,
        context=context or ChatContext(),
    )


def taking_edits_as_messages(batch: Batch, unknown: Iterable[MessageId]) -> Batch:
    """The same batch, in which an edit of a message that nobody has seen is that message, of who wrote it."""
    unseen = set(unknown)
    if not any(change.event == "edit" and target_of(change) in unseen for change in batch.changes):
        return batch
    said = [
        change.model_copy(update={"event": "operator_message" if change.own else "message"})
        if change.event == "edit" and target_of(change) in unseen
        else change
        for change in batch.changes
    ]
    new = gather(said, closed_by=batch.closed_by)
    items = sorted((*batch.items, *new.items), key=lambda item: item.message.timestamp)
    return replace(batch, items=tuple(items), changes=new.changes)


def target_of(message: IncomingMessage) -> MessageId:
    """Which message an event is about: its own id, except that a reaction may name it in reply_to."""
    if message.event == "reaction" and message.reply_to:
        return message.reply_to
    return message.external_message_id


def message_type(media: Media) -> str:
    """text, the one kind of media there is (words beside it are its caption), or mixed."""
    files = [*media.videos, *media.documents]
    stickers = [file for file in files if is_sticker(file)]
    only_stickers = bool(stickers) and len(stickers) == len(files)
    kinds = {
        "voice": media.has_voice,
        "image": media.has_images or media.images,
        "sticker": stickers,
        "video": (media.has_video or media.videos) and not only_stickers,
        "document": (media.has_document or media.documents) and not only_stickers,
        "location": media.locations,
        "contact": media.contacts,
    }
    present = [kind for kind, there in kinds.items() if there]
    return present[0] if len(present) == 1 else "mixed" if present else "text"


def is_sticker(file: File) -> bool:
    """Whether a file is shown as a sticker; the vendors' words for it all contain the word."""
    return "sticker" in (file.kind or "").lower()


def _first_of_each(said: Iterable[IncomingMessage]) -> dict[MessageId, Item]:
    items: dict[MessageId, Item] = {}
    for message in said:
        items.setdefault(message.external_message_id, Item(message, message.text, message.media))
    return items


def _last_of_each(changes: Iterable[IncomingMessage]) -> tuple[IncomingMessage, ...]:
    last: dict[tuple[str, MessageId], IncomingMessage] = {}
    for change in changes:
        key = (change.event, target_of(change))
        last.pop(key, None)
        last[key] = change
    return tuple(last.values())


def _by_target(changes: Iterable[IncomingMessage]) -> dict[MessageId, list[IncomingMessage]]:
    grouped: dict[MessageId, list[IncomingMessage]] = {}
    for change in changes:
        grouped.setdefault(target_of(change), []).append(change)
    return grouped


def _changed(item: Item, changes: Iterable[IncomingMessage]) -> Item:
    for change in changes:
        if change.event == "edit":
            item = replace(item, text=change.text, media=change.media, edited_at=change.timestamp)
        elif change.event == "delete":
            item = replace(item, deleted_at=change.timestamp)
        elif change.event == "reaction":
            item = replace(item, reaction=change.text)
    return item
