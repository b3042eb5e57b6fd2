"""MAX's JSON -> our words. Pure: no network, no clock. Facts: vendor contract §3, §5, §7, §10.

An update from MAX becomes

message            the customer wrote, sent or shared something
edit, delete       the customer changed or took back a message; it keeps its id
postback           a button was pressed, or Start (`bot_started`, with the words of its link)
operator_message   the bot itself wrote (`Arrival.own`); MAX is not known to tell us of that
notice             the bot stopped, a dialog cleared, a group changed, a channel's post: never answered

Edits by bots, of posts and of comments mean nothing. What cannot be read becomes a reason, never an error;
an update about another bot names it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from pydantic import ValidationError

from core.channel import Arrival, ChatInfo, ChatMessage, Normalized
from core.ids import AccountId, ChannelName, ChatId, MessageId
from core.messages import Contact, Event, File, Image, IncomingMessage, Location, Media, Meta
from core.vendor_json import UnreadableError, first_mistake, storable
from mcp_max.schemas import LAST_MS, NOBODY, Attachment, Body, Chat, Message, Recipient, Update, moment

CHANNEL = ChannelName("max")
#: The fingerprint of every picture: MAX stores it anew, so its bytes cannot be compared.
IMAGE_MARK = "image"
_SERVICE = {
    "bot_stopped": "Бот остановлен",
    "dialog_removed": "Диалог удалён",
    "dialog_cleared": "История диалога очищена",
    "dialog_muted": "Уведомления отключены",
    "dialog_unmuted": "Уведомления включены",
    "bot_added": "Бот добавлен в чат",
    "bot_removed": "Бот удалён из чата",
    "user_added": "Участник добавлен",
    "user_removed": "Участник удалён",
    "chat_title_changed": "Название чата изменено",
}
_LISTS = ("images", "videos", "locations", "contacts")
_ENDINGS = frozenset({"bot_stopped", "dialog_removed", "bot_removed"})

Fingerprint = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Ours:
    """Whose updates are read; `bot_id` None = not known yet."""

    account: AccountId
    bot_id: int | None
    fingerprint: Fingerprint
    token: str = field(repr=False)


class Said(NamedTuple):
    """A message's words and attachments."""

    text: str = ""
    media: Media = Media()


class _ForeignError(Exception):
    """The update is about the bot of this number."""


def normalize(body: Any, ours: Ours) -> Normalized:
    """The meaning of one update (§7). Raises nothing."""
    try:
        raw = storable(body)
        arrival = _arrival(Update.model_validate(raw), raw, ours)
    except ValidationError as error:
        return Normalized(unknown=first_mistake(error))
    except UnreadableError as error:
        return Normalized(unknown=str(error))
    except _ForeignError as error:
        return Normalized(foreign=frozenset({str(error)}))
    return Normalized((arrival,) if arrival else ())


def _arrival(update: Update, raw: dict[str, Any], ours: Ours) -> Arrival | None:
    kind = update.update_type
    if kind in {"message_created", "message_edited"}:
        return _written(update, raw, ours)
    if kind == "message_callback":
        return _pressed(update, raw, ours)
    if kind == "message_removed":
        return _removed(update, raw, ours)
    if kind == "bot_started":
        words = f"Диалог начат: {update.payload}" if update.payload else "Диалог начат"
        return _service(update, raw, ours, event="postback", text=words)
    if kind not in _SERVICE:
        raise UnreadableError(f"unknown update type {kind[:40]!r}")
    title = f": {update.title}" if update.title else ""
    return _service(update, raw, ours, event="notice", text=_SERVICE[kind] + title)


def _written(update: Update, raw: dict[str, Any], ours: Ours) -> Arrival | None:
    """A new or an edited message; each edit is an event of its own, told apart by its time."""
    message, kind = update.message, update.update_type
    if message is None:
        raise UnreadableError(f"{kind} without its message: a native voice note comes so (§10.1)")
    _check_bot(message, ours)
    said, event, edited = said_in(message), _event_of(message, ours), kind == "message_edited"
    if said == Said():
        raise UnreadableError("a message without content")
    if edited and not message.sender and not message.place.is_public:
        raise UnreadableError("an edit without its author")
    if edited and event != "message":
        return None
    time = update.timestamp if edited else message.timestamp or update.timestamp
    own, message_id = event == "operator_message", _id_of(message, time)
    writer = None if own else message.sender
    arrival = _arrived(
        ours,
        raw,
        f"{kind}:{message_id}" + (f":{time}" if edited else ""),
        time,
        event="edit" if edited else event,
        external_user_id=message.author,
        external_chat_id=_place(message.place, message.customer),
        external_message_id=message_id,
        text=said.text,
        client_name=writer.full_name if writer else None,
        client_username=writer.username if writer else None,
        client_phone=None if own else _proven_phone(message, ours),
        media=said.media,
        reply_to=message.quoted,
    )
    return replace(arrival, own=True, fingerprint=_mark(message, said, ours)) if own else arrival


def _pressed(update: Update, raw: dict[str, Any], ours: Ours) -> Arrival:
    """The press is a message of its own, named by its callback_id, so that it can be answered (§3.4)."""
    press, message = update.callback, update.message or Message()
    if press is None:
        raise UnreadableError("message_callback without a readable callback")
    _check_bot(message, ours, presser=press.user.user_id)
    labels = dict(label for one in message.attachments for label in one.content.labels)
    words = press.payload or ""
    return _arrived(
        ours,
        raw,
        f"message_callback:{press.callback_id}",
        press.timestamp or update.timestamp,
        event="notice" if message.place.is_public else "postback",
        external_user_id=str(press.user.user_id),
        external_chat_id=_place(message.place, press.user.user_id),
        external_message_id=press.callback_id,
        text=labels.get(words, words),
        client_name=press.user.full_name,
        client_username=press.user.username,
        reply_to=message.body.mid if message.body else None,
    )


def _removed(update: Update, raw: dict[str, Any], ours: Ours) -> Arrival:
    if update.message_id is None:
        raise UnreadableError("message_removed without message_id")
    return _arrived(
        ours,
        raw,
        f"message_removed:{update.message_id}",
        update.timestamp,
        event="delete",
        external_user_id=str(update.person),
        external_chat_id=_place(Recipient(chat_id=update.chat_id), update.person),
        external_message_id=update.message_id,
    )


def _service(update: Update, raw: dict[str, Any], ours: Ours, *, event: Event, text: str) -> Arrival:
    """There is no id of an update (§5.3): type, chat, person and time make one."""
    chat_id = _place(Recipient(chat_id=update.chat_id), update.person)
    key = f"{update.update_type}:{chat_id}:{update.person}:{update.timestamp}"
    arrival = _arrived(
        ours,
        raw,
        key,
        update.timestamp,
        event=event,
        external_user_id=str(update.person),
        external_chat_id=chat_id,
        external_message_id=key,
        text=text,
        client_name=update.user.full_name if update.user else None,
        client_username=update.user.username if update.user else None,
    )
    return replace(arrival, ends_chat=update.update_type in _ENDINGS)


def _arrived(ours: Ours, raw: dict[str, Any], key: str, time: int | None, **fields: Any) -> Arrival:
    if time is None:
        raise UnreadableError("no time: every timestamp is missing or wrong")
    known = {"channel": CHANNEL, "account": ours.account, "timestamp": moment(time), "meta": Meta(raw=raw)}
    return Arrival(IncomingMessage.model_validate(known | fields), key)


def _check_bot(message: Message, ours: Ours, presser: int = NOBODY) -> None:
    """Raises _ForeignError for the dialog of another bot; whoever pressed a button is none."""
    if ours.bot_id is not None and message.bot not in (None, ours.bot_id, presser):
        raise _ForeignError(message.bot)


def _event_of(message: Message, ours: Ours) -> Event:
    """Posts, comments and other bots are never answered: an answer would be public, or without end."""
    if message.is_by(ours.bot_id):
        return "operator_message"
    stranger = message.sender is None or message.sender.is_bot
    return "notice" if stranger or message.place.is_public else "message"


def _place(place: Recipient, user_id: int) -> ChatId:
    if place.chat_id:
        return ChatId(str(place.chat_id))
    if user_id <= 0 or place.chat_type in {"chat", "channel"}:
        raise UnreadableError("no chat_id")
    return ChatId(f"user:{user_id}")


def _id_of(message: Message, time: int | None) -> MessageId:
    """A bare forward may come without body and so without id (§3.1); several may share a moment."""
    body, passed_on = message.body or Body(), message.link.message if message.link else None
    if body.mid:
        return MessageId(body.mid)
    which = body.seq or (passed_on.mid if passed_on else "") or ""
    return MessageId(f"{_place(message.place, message.customer)}:{message.author}:{time}:{which}")


def _mark(message: Message, said: Said, ours: Ours) -> str:
    """What the pending send of the same content registered: of files their kind (core/echoes.py)."""
    media = said.media
    kinds = {IMAGE_MARK: media.has_images, "voice": media.has_voice, "video": media.has_video}
    kinds["document"] = media.has_document
    words = ours.fingerprint(message.body.text) if message.body and message.body.text else ""
    return next((kind for kind, there in kinds.items() if there), words)


def _proven_phone(message: Message, ours: Ours) -> str | None:
    """The sender's own number: their card, signed by MAX (§3.1). Any card could be put together by hand."""
    for attachment in message.attachments:
        card = attachment.content
        own = message.sender and card.max_info and card.max_info.user_id == message.sender.user_id
        if own and card.is_signed_with(ours.token):
            return card.phone
    return None


def said_in(message: Message) -> Said:
    """The words and attachments of a message, and of the one that it passes on."""
    parts = _parts(message.body)
    link = message.link
    if link and link.type == "forward":
        author = f" от {link.sender.full_name}" if link.sender and link.sender.full_name else ""
        inner = _parts(link.message)
        words = ": ".join(filter(None, (f"Переслано{author}", "\n".join(p.text for p in inner if p.text))))
        parts += [Said(words), *(Said(media=part.media) for part in inner)]
    return Said("\n".join(part.text for part in parts if part.text), _joined([p.media for p in parts]))


def _parts(body: Body | None) -> list[Said]:
    body = body or Body()
    text = body.text or ""
    return [Said(text), *(_READERS.get(one.type, _file)(one, text) for one in body.attachments or [])]


def _image(attachment: Attachment, _: str) -> Said:
    url = attachment.content.url
    return Said(media=Media(has_images=True, images=(Image(url=url),) if url else ()))


def _video(attachment: Attachment, _: str) -> Said:
    """The token finds a link again (§2, /videos)."""
    content = attachment.content
    return Said(
        media=Media(has_video=True, videos=(File(url=content.url, file_id=content.token, kind="video"),))
    )


def _audio(attachment: Attachment, _: str) -> Said:
    media = Media(
        has_voice=True,
        voice_url=attachment.content.url,
        voice_transcribed_text=attachment.transcription,
        voice_seconds=attachment.duration,
    )
    return Said(media=media)


def _file(attachment: Attachment, _: str) -> Said:
    """A file, a sticker (by its `code`), or what MAX adds later, under its own name."""
    content = attachment.content
    document = File(url=content.url, file_id=content.code, name=attachment.filename, kind=attachment.type)
    return Said(media=Media(has_document=True, documents=(document,)))


def _contact(attachment: Attachment, _: str) -> Said:
    content = attachment.content
    name = content.card.get("FN") or (content.max_info.full_name if content.max_info else None)
    return Said(media=Media(contacts=(Contact(name=name, phone=content.phone or content.card.get("TEL")),)))


def _location(attachment: Attachment, _: str) -> Said:
    latitude, longitude = attachment.latitude, attachment.longitude
    if latitude is None or longitude is None:
        return Said("Место на карте")
    return Said(media=Media(locations=(Location(latitude=latitude, longitude=longitude),)))


def _share(attachment: Attachment, text: str) -> Said:
    """A page; nothing to add when it is the preview of an address in the text."""
    url = attachment.content.url or ""
    if url and url in text:
        return Said()
    facts = ", ".join(filter(None, (attachment.title, attachment.description, url)))
    return Said(f"Ссылка: {facts or 'без адреса'}")


_READERS: dict[str, Callable[[Attachment, str], Said]] = {
    "image": _image,
    "video": _video,
    "audio": _audio,
    "contact": _contact,
    "location": _location,
    "share": _share,
    "inline_keyboard": lambda *_: Said(),
}


def _joined(media: Sequence[Media]) -> Media:
    """All attachments as one; of several voice notes the first is the voice, all others are documents."""
    voices = [one for one in media if one.has_voice]
    more = tuple(File(url=one.voice_url, kind="audio") for one in voices[1:])
    documents = (*(file for one in media for file in one.documents), *more)
    return (voices[0] if voices else Media()).model_copy(
        update={
            **{flag: any(getattr(one, flag) for one in media) for flag in ("has_images", "has_video")},
            **{rows: tuple(row for one in media for row in getattr(one, rows)) for rows in _LISTS},
            "has_document": bool(documents),
            "documents": documents,
        }
    )


def chat_info(chat: Chat) -> ChatInfo:
    """§3.1: a dialog has a customer, a group a title."""
    client = chat.dialog_with_user
    return ChatInfo(
        chat_id=str(chat.chat_id),
        client_name_untrusted=(client.full_name if client else chat.title) or "",
        client_user_id=str(client.user_id) if client else "",
        updated_at=moment(chat.last_event_time).isoformat() if chat.last_event_time else "",
    )


def chat_messages(rows: Sequence[Message], bot_id: int) -> list[ChatMessage]:
    """A page of history (§3.3), newest first.

    A message without a time has its neighbour's: who looks for a lost send must not take it for old.
    """
    time, shown = next((row.timestamp for row in rows if row.timestamp), LAST_MS - 1), []
    for row in rows:
        time = row.timestamp or time
        shown.append(_chat_message(row, bot_id, time))
    return shown


def _chat_message(row: Message, bot_id: int, time: int) -> ChatMessage:
    """Our own words are given back as they were sent, for a search by them."""
    own, said = row.is_by(bot_id), said_in(row)
    kinds = [one.type for one in row.attachments if one.type != "inline_keyboard"]
    return ChatMessage(
        message_id=_id_of(row, time),
        direction="out" if own else "in",
        type=kinds[0] if kinds else "text",
        text_untrusted=((row.body.text if row.body else None) or "") if own else said.text,
        image_url=next((image.url for image in said.media.images if image.url), ""),
        reply_to=row.quoted or "",
        sent_at=moment(time).isoformat(),
    )
