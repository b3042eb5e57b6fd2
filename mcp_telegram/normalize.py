"""Telegram's JSON -> our words. Pure: no network, no clock. Facts: vendor contract §3, §4, §9.

An update becomes

message            the customer wrote, sent or shared something; each item of an album is one
edit               the customer changed it, or the owner of a business chat their own words (`own`); a link
                   preview or a moving location tells so as well
postback           a button was pressed: its label; the press's id stands in external_message_id and meta.raw
reaction           the emoji that a person put on a message; "" when it was taken away
operator_message   the account's owner wrote in a business chat, or a bot in the owner's name (our echo)
delete             a message of a business chat is gone; other chats tell of no deletions
notice             a service message, the owner's automatic answer, a blocked or added bot, a business
                   connection, other bots: never answered

Nothing becomes of our own edit in a business chat, when Telegram shows it to us. Everything that cannot be
read becomes a reason, never an exception. Telegram names no bot in its updates, so nothing is foreign.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

from pydantic import ValidationError

from core.channel import Arrival, Normalized
from core.ids import AccountId, ChannelName, MessageId, UserId
from core.messages import Contact as Card
from core.messages import Event, File, Image, IncomingMessage, Location, Media, Meta
from core.vendor_json import UnreadableError, first_mistake, storable
from mcp_telegram.schemas import (
    Attached,
    BusinessMessage,
    Connection,
    Deleted,
    Membership,
    Message,
    Place,
    Press,
    Reaction,
    Titled,
    Update,
    moment,
)

CHANNEL = ChannelName("telegram")
#: The fingerprint of every picture: Telegram stores it anew, so its bytes cannot be compared.
IMAGE_MARK = "image"
START = "/start "

Fingerprint = Callable[[str], str]


class Said(NamedTuple):
    """A message's words and attachments."""

    text: str = ""
    media: Media = Media()


@dataclass(frozen=True, slots=True)
class Reader:
    """What reading an update needs to know; `now` stands in where Telegram tells no time."""

    bot_id: int
    account: AccountId
    fingerprint: Fingerprint
    now: datetime


class _Event(NamedTuple):
    """What an update says, before it is our message. `about`: its own name in its chat."""

    event: Event
    place: Place
    user: int
    about: MessageId
    key: str
    said: Said = Said()
    at: datetime | None = None
    name: str = ""
    username: str | None = None
    phone: str | None = None
    reply_to: MessageId | None = None
    ref: str | None = None
    own: bool = False
    mark: str = ""
    ends: bool = False


def normalize(body: Any, reader: Reader) -> Normalized:
    """The meaning of a parsed update (§3). Raises nothing; `{}` is somebody's test of the address."""
    if isinstance(body, dict) and not body:
        return Normalized()
    try:
        clean = storable(body)
        number, kind = Update.model_validate(clean).update_id, _kind(clean)
        raw = clean[kind]
        events = _KINDS[kind](raw, number, reader)
        return Normalized(tuple(_arrival(event, raw, reader) for event in events))
    except ValidationError as error:
        return Normalized(unknown=first_mistake(error))
    except UnreadableError as error:
        return Normalized(unknown=str(error))


def _kind(body: dict[str, Any]) -> str:
    """The one payload key of an update that we read."""
    found = [kind for kind in body if kind in _KINDS]
    if len(found) != 1 or not isinstance(body[found[0]], dict):
        others = sorted(key for key in body if key != "update_id")
        raise UnreadableError(f"unknown kind of update: {', '.join(others)[:80] or 'none'}")
    return found[0]


def _arrival(event: _Event, raw: dict[str, Any], reader: Reader) -> Arrival:
    corrected = event.own and event.event == "edit"  # by the owner's hand: no echo of ours
    message = IncomingMessage(
        channel=CHANNEL,
        account=reader.account,
        event=event.event,
        external_user_id=UserId(str(event.user)),
        external_chat_id=event.place.chat_id,
        external_message_id=event.about,
        text=event.said.text,
        timestamp=event.at or reader.now,
        client_name=event.name or None,
        client_phone=event.phone,
        client_username=event.username or None,
        media=event.said.media,
        meta=Meta(ad_channel=CHANNEL, ad_id=event.ref, raw=raw),
        reply_to=event.reply_to,
        own=corrected,
    )
    own = event.own and not corrected
    return Arrival(message, event.key, own=own, fingerprint=event.mark, ends_chat=event.ends)


def _message(shape: type[Message], raw: dict[str, Any], _: int, reader: Reader) -> list[_Event]:
    return [_written(shape.model_validate(raw), raw, reader)]


def _written(message: Message, raw: dict[str, Any], reader: Reader) -> _Event:
    place, own, answered = message.place, _is_own(message, reader), message.reply_to_message
    event, said = _event_of(message, raw, reader), said_in(message, raw)
    writer = None if own else message.sender
    return _Event(
        event,
        place,
        message.author_id,
        place.message_id(message.message_id),
        f"message:{place.message_id(message.message_id)}",
        said,
        moment(message.date),
        writer.name if writer else "",
        writer.username if writer else None,
        phone=None if own else message.own_phone,  # an operator's card is not the customer's number
        reply_to=place.message_id(answered.message_id) if answered else None,
        ref=said.text.removeprefix(START).strip() or None if said.text.startswith(START) else None,
        own=own,
        mark=_mark(said, reader.fingerprint) if event == "operator_message" else "",
        ends=raw.get("migrate_to_chat_id") is not None,
    )


def _edited(shape: type[Message], raw: dict[str, Any], number: int, reader: Reader) -> list[_Event]:
    """An edit bears the customer's id, also the owner's; that of a notice is another notice."""
    message = shape.model_validate(raw)
    if message.sender_business_bot:
        return []
    read = _written(message, raw, reader)
    edited = read._replace(
        key=f"edit:{read.about}:{number}", at=moment(message.edit_date or message.date), mark=""
    )
    if read.event == "message":
        return [edited._replace(event="edit")]
    if read.event == "operator_message":
        return [edited._replace(event="edit", user=message.chat.id)]
    about, words = MessageId(f"{read.about}:edit:{number}"), f"Исправлено: {read.said.text}"
    said = read.said._replace(text=words)
    return [edited._replace(about=about, said=said, own=False, reply_to=read.about)]


def _pressed(raw: dict[str, Any], _: int, __: Reader) -> list[_Event]:
    """The message is ours and tells its own time, not that of the press (§4)."""
    press = Press.model_validate(raw)
    place, user, name = press.message.place, press.sender, MessageId(f"press:{press.id}")
    said, under = Said(press.label), place.message_id(press.message.message_id)
    pressed = _Event("postback", place, user.id, name, name, said, reply_to=under)
    return [pressed._replace(name=user.name, username=user.username)]


def _reacted(raw: dict[str, Any], number: int, _: Reader) -> list[_Event]:
    reaction = Reaction.model_validate(raw)
    place = Place(reaction.chat.id)
    who, about = reaction.user or reaction.actor_chat or reaction.chat, place.message_id(reaction.message_id)
    shown = [kind.emoji or f"[{kind.type or 'reaction'}]" for kind in reaction.new_reaction or [] if kind]
    said, key, at = Said("".join(shown)), f"reaction:{about}:{number}", moment(reaction.date)
    return [_Event("reaction", place, who.id, about, key, said, at, who.name, who.username)]


def _deleted(raw: dict[str, Any], _: int, __: Reader) -> list[_Event]:
    """Who deleted is not told; the customer's own name is the chat's."""
    deleted = Deleted.model_validate(raw)
    place = Place(deleted.chat.id, deleted.business_connection_id)
    names = [place.message_id(number) for number in dict.fromkeys(deleted.message_ids)]
    return [_Event("delete", place, deleted.chat.id, name, key=f"delete:{name}") for name in names]


def _membership(raw: dict[str, Any], number: int, _: Reader) -> list[_Event]:
    change = Membership.model_validate(raw)
    status, private = change.new_chat_member.status, change.chat.is_private
    words = _STATUSES.get((private, status), f"Бот в чате теперь: {status[:40]}")
    told = _noted(Place(change.chat.id), change.sender.id, f"member:{number}", words, moment(change.date))
    return [told._replace(ends=status in {"kicked", "left"})]


def _connected(raw: dict[str, Any], number: int, _: Reader) -> list[_Event]:
    """Told in the owner's own chat with the bot."""
    connection = Connection.model_validate(raw)
    words = f"Бизнес-подключение {connection.id} ({connection.user.name}) {connection.state}"
    # its `date` is when it was made, also in later changes of it
    return [_noted(Place(connection.user_chat_id), connection.user.id, f"connection:{number}", words, None)]


def _noted(place: Place, user: int, name: str, words: str, at: datetime | None) -> _Event:
    return _Event("notice", place, user, place.message_id(name), f"{name}:{place.chat_id}", Said(words), at)


_KINDS: dict[str, Callable[[Any, int, Reader], list[_Event]]] = {
    "message": partial(_message, Message),
    "edited_message": partial(_edited, Message),
    "business_message": partial(_message, BusinessMessage),
    "edited_business_message": partial(_edited, BusinessMessage),
    "deleted_business_messages": _deleted,
    "callback_query": _pressed,
    "message_reaction": _reacted,
    "my_chat_member": _membership,
    "business_connection": _connected,
}

_STATUSES = {
    (True, "kicked"): "Клиент заблокировал бота",
    (True, "member"): "Клиент разблокировал бота",
    (False, "kicked"): "Бота исключили из группы",
    (False, "left"): "Бота удалили из группы",
    (False, "member"): "Бота добавили в группу",
}


def _event_of(message: Message, raw: dict[str, Any], reader: Reader) -> Event:
    """Who speaks to whom (§9): only what a person wrote to us asks for an answer."""
    if _service_key(raw):
        return "notice"
    if _is_own(message, reader):
        automatic = message.is_from_offline and not message.sender_business_bot
        return "notice" if automatic else "operator_message"
    by_no_person = message.sender_chat or (message.sender and message.sender.is_bot)
    return "notice" if by_no_person else "message"


def _is_own(message: Message, reader: Reader) -> bool:
    """Written by the bot, or by the owner of a business chat, where the customer's id is the chat's."""
    if message.sender_business_bot:
        return True
    author = message.sender.id if message.sender else None
    return author == reader.bot_id or bool(message.business_connection_id and author != message.chat.id)


def _mark(said: Said, fingerprint: Fingerprint) -> str:
    """What the pending send of the same content registered: of files their kind (core/echoes.py)."""
    media = said.media
    kinds = {IMAGE_MARK: media.has_images, "voice": media.has_voice, "video": media.has_video}
    kinds["document"] = media.has_document
    words = fingerprint(said.text) if said.text and media.is_empty else ""
    return next((kind for kind, there in kinds.items() if there), words)


def said_in(message: Message, raw: dict[str, Any]) -> Said:
    """The words and attachments of a message (§4), by the content key that is there."""
    for key, reader in _READERS.items():
        if raw.get(key) is not None:
            return reader(message)
    key = next((key for key in UNSHOWN if raw.get(key) is not None), "") or _service_key(raw)
    if key:
        words = _titled((UNSHOWN | SERVICE).get(key, "Служебное сообщение"), raw[key])
        return Said("\n".join(filter(None, (words, message.caption))))
    raise UnreadableError(f"a message without known content: {', '.join(sorted(raw))[:160]}")


def _titled(words: str, content: Any) -> str:
    """With what little is told of it: a name, or the number of the group that it became."""
    try:
        title = Titled.model_validate(content).words
    except ValidationError:
        title = str(content) if isinstance(content, int | str) and content is not True else ""
    return f"{words}: {title}" if title else words


def _text(message: Message) -> Said:
    if message.text is None:
        raise UnreadableError("text is not a text")
    return Said(message.text)


def _photo(message: Message) -> Said:
    """The sizes ascend: the last one is the picture (§4)."""
    ids = [size.file_id for size in message.photo or [] if size and size.file_id]
    images = (Image(file_id=ids[-1]),) if ids else ()
    return Said(message.caption or "", Media(has_images=True, images=images))


def _voice(message: Message) -> Said:
    found = message.voice or Attached()
    media = Media(has_voice=True, voice_file_id=found.file_id, voice_seconds=found.duration)
    return Said(message.caption or "", media)


def _file(kind: str) -> Callable[[Message], Said]:
    def read(message: Message) -> Said:
        found: Attached = getattr(message, kind) or Attached()
        files = (File(file_id=found.file_id, name=found.file_name or found.title, kind=kind),)
        if kind in {"video", "video_note", "animation"}:
            media = Media(has_video=True, videos=files)
        else:
            media = Media(has_document=True, documents=files)
        words = f"Стикер {found.emoji or ''}".strip() if kind == "sticker" else message.caption
        return Said(words or "", media)

    return read


def _place(message: Message) -> Said:
    if message.location is None:
        return Said("Место на карте")
    point, title = message.location, message.venue.words if message.venue else ""
    place = Location(latitude=point.latitude, longitude=point.longitude, title=title or None)
    return Said(title, Media(locations=(place,)))


def _contact(message: Message) -> Said:
    if message.contact is None:
        return Said("Контакт")
    return Said(media=Media(contacts=(Card(name=message.contact.name, phone=message.contact.phone_number),)))


#: By content key. An animation has a document as well, a venue a location: the first one found is read.
_READERS: dict[str, Callable[[Message], Said]] = {
    "text": _text,
    "photo": _photo,
    "voice": _voice,
    **{key: _file(key) for key in ("animation", "video", "video_note", "audio", "document", "sticker")},
    "location": _place,
    "venue": _place,
    "contact": _contact,
}

#: Content without anything that a bot could show; the agent learns that it is there.
UNSHOWN = {
    "poll": "Опрос",
    "dice": "Бросок",
    "game": "Игра",
    "invoice": "Счёт",
    "story": "История",
    "paid_media": "Платные снимки",
    "checklist": "Список дел",
    "live_photo": "Живое фото",
    "rich_message": "Оформленное сообщение",
}

#: Messages that nobody wrote; of further kinds the beginnings of their names are known.
SERVICE = {
    "new_chat_members": "В группу вошёл участник",
    "left_chat_member": "Участник вышел из группы",
    "pinned_message": "Закреплено сообщение",
    "group_chat_created": "Создана группа",
    "migrate_to_chat_id": "Группа стала супергруппой",
    "migrate_from_chat_id": "Супергруппа возникла из группы",
}
SERVICE_STARTS = ("new_chat_", "delete_chat_", "supergroup_", "forum_topic_", "video_chat_", "message_auto_")


def _service_key(raw: dict[str, Any]) -> str:
    given = (key for key, value in raw.items() if value is not None)
    return next((key for key in given if key in SERVICE or key.startswith(SERVICE_STARTS)), "")
