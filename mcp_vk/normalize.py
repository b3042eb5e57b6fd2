"""VK's JSON -> our words. Pure: no network, no clock. Facts: vendor contract §4.

message            the customer wrote or shared something
postback           a button was pressed: its label (text button) or its payload (callback button)
operator_message   the community itself wrote: our echo, or a person on vk.com (`Arrival.own`)
edit               a message has other words now
read, reaction     the customer read up to a message, or reacted to it
notice             a service message, a consent given or taken back: never answered
typing             the customer writes to us

What cannot be read becomes a reason, never an exception. A message is known by `peer:cmid`: its id in the
mailbox is 0 in group chats (§1).
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, NamedTuple

from pydantic import ValidationError

from core.channel import Arrival, ChatInfo, ChatMessage, Normalized
from core.ids import AccountId, ChannelName, ChatId, MessageId, UserId
from core.jsontext import UnreadableJSON, read_json, without_surrogates, write_json
from core.messages import Event, File, Image, IncomingMessage, Location, Media, Meta
from core.vendor_json import UnreadableError, first_mistake, without_nul
from mcp_vk.schemas import (
    CHATS_FROM,
    LAST_SECOND,
    Attachment,
    Callback,
    Conversation,
    Geo,
    Gesture,
    Message,
    People,
    Quoted,
    Thing,
    moment,
)

CHANNEL = ChannelName("vk")
#: Levels of a body that are kept for study; forwards within forwards may go deeper.
DEEPEST = 60
#: What is done without writing, and the event that it becomes.
GESTURES: dict[str, Event] = {
    "message_event": "postback",
    "message_allow": "notice",
    "message_deny": "notice",
    "message_read": "read",
    "message_reaction_event": "reaction",
    "message_typing_state": "typing",
}
CONSENTS = {
    "message_allow": "Клиент разрешил сообществу писать ему",
    "message_deny": "Клиент запретил сообществу писать ему",
}
#: VK's numbers of kinds of documents (§4.4).
DOCUMENT_KINDS = {1: "text", 2: "archive", 3: "gif", 4: "image", 5: "audio", 6: "video", 7: "e-book"}
#: How what has no file is called.
LABELS = {
    "article": "Статья",
    "audio": "Аудиозапись",
    "call": "Звонок",
    "gift": "Подарок",
    "graffiti": "Граффити",
    "link": "Ссылка",
    "market": "Товар",
    "podcasts": "Подкаст",
    "poll": "Опрос",
    "story": "История",
    "video_playlist": "Плейлист",
    "wall": "Запись",
    "wall_reply": "Комментарий",
}
#: The fingerprint of every picture: VK stores it anew, so its bytes cannot be compared.
IMAGE_MARK = "image"
#: What we send as files: how a history calls it, and the fingerprint of its echo (core/echoes.py).
TYPES = {"photo": IMAGE_MARK, "audio_message": "voice", "doc": "document"}

Fingerprint = Callable[[str], str]


class Here(NamedTuple):
    """Where an event arrives: our account, its community, the time; and how our own words are marked."""

    account: AccountId
    group_id: int
    now: datetime
    fingerprint: Fingerprint


class Said(NamedTuple):
    """A message's words and attachments."""

    words: tuple[str, ...] = ()
    media: Media = Media()

    @property
    def text(self) -> str:
        return "\n".join(filter(None, self.words))


def normalize(body: Any, here: Here) -> Normalized:
    """The meaning of a parsed delivery (§4.1). Raises nothing."""
    try:
        event = Callback.model_validate(body)
        if event.group_id != here.group_id:
            return Normalized(foreign=frozenset({str(event.group_id)}))
        if event.type == "message_typing_state" and (event.object or {}).get("to_id") != -here.group_id:
            return Normalized()  # ourselves to a customer, or in a chat that is not named
        return Normalized((_arrival(event, here),))
    except ValidationError as error:
        return Normalized(unknown=first_mistake(error))
    except UnreadableError as error:
        return Normalized(unknown=str(error))


def history_arrivals(messages: Iterable[Message | None], here: Here) -> Iterator[Arrival]:
    """What the webhook would have told of messages of the history, an edit as well."""
    for message in filter(None, messages):
        yield _of_message(message, here)
        if message.update_time:
            yield _of_message(message, here, edited=True)


def message_id(peer_id: int, cmid: int) -> MessageId:
    """The stable name of a message (§1)."""
    return MessageId(f"{peer_id}:{cmid}")


def _arrival(event: Callback, here: Here) -> Arrival:
    given = event.object or {}
    if event.type in {"message_new", "message_reply", "message_edit"}:
        message = Message.model_validate(given.get("message", given))  # message_new wraps it (§0.4)
        return _of_message(message, here, edited=event.type == "message_edit")
    if event.type not in GESTURES:
        raise UnreadableError(f"unknown event type {event.type[:40]!r}")
    raw = _storable(given)
    delivery = f"{event.type}:{event.event_id or _digest(write_json(raw))}"
    return _of_gesture(event.type, delivery, raw, here)


def _of_message(message: Message, here: Here, *, edited: bool = False) -> Arrival:
    name, said = message_id(message.peer_id, message.cmid), said_in(message)
    own = message.is_of(here.group_id)
    speaks_for = message.peer_id if own and edited else message.from_id  # an edit names the customer
    return Arrival(
        message=IncomingMessage(
            channel=CHANNEL,
            account=here.account,
            event="edit" if edited else _event(message, own=own),
            external_user_id=UserId(str(speaks_for)),
            external_chat_id=ChatId(str(message.peer_id)),
            external_message_id=name,
            text=said.text,
            timestamp=moment(message.update_time if edited else message.date) or here.now,
            media=said.media,
            meta=_meta(message),
            reply_to=_answered(message),
        ),
        event_key=_edit_key(message, name) if edited else f"{name}:message",
        own=own,
        fingerprint=_mark(message, here.fingerprint) if own else "",
    )


def _event(message: Message, *, own: bool) -> Event:
    written: Event = "operator_message" if own else "postback" if message.payload else "message"
    return "notice" if message.action else written


def _edit_key(message: Message, name: MessageId) -> str:
    """The same from the webhook and from the history; two edits within a second differ in content."""
    attached = (one.name for one in message.attachments if one)
    return f"{name}:edit:{message.update_time or 0}:{_digest(' '.join((message.text or '', *attached)))}"


def _mark(message: Message, fingerprint: Fingerprint) -> str:
    """What the pending send of the same content registered; "" for what no program of ours has sent.

    Our sends always have a random_id, and VK names the person who wrote by hand (§4.3).
    """
    if message.admin_author_id and not message.random_id:
        return ""
    kinds = [TYPES[one.type] for one in message.attachments if one and one.type in TYPES]
    return kinds[0] if kinds else fingerprint(message.text) if message.text else ""


def _answered(message: Message) -> MessageId | None:
    reply = message.reply_message
    return message_id(reply.peer_id or message.peer_id, reply.cmid) if reply and reply.cmid else None


def _meta(message: Message) -> Meta:
    """What the message is about: an attached product, else the link that led here (`ref`)."""
    product = next((one for one in message.attachments if one and one.type == "market"), None)
    thing, ad_id = (product.thing, product.name) if product else (Thing(), message.ref)
    raw = _storable(message.raw)
    return Meta(ad_channel=CHANNEL, ad_id=ad_id or None, ad_title=thing.title, ad_price=thing.price, raw=raw)


def _of_gesture(kind: str, delivery: str, raw: dict[str, Any], here: Here) -> Arrival:
    """VK gives these no time of their own."""
    gesture = Gesture.model_validate(raw)
    own = gesture.user_id == -here.group_id
    name, key, text = _gesture(kind, gesture, delivery)
    pressed = gesture.cmid if kind == "message_event" else None
    message = IncomingMessage(
        channel=CHANNEL,
        account=here.account,
        event=GESTURES[kind],
        external_user_id=UserId(str(gesture.peer_id if own else gesture.user_id)),
        external_chat_id=ChatId(str(gesture.peer_id)),
        external_message_id=MessageId(name),
        text=text,
        timestamp=here.now,
        meta=Meta(ad_channel=CHANNEL, raw=raw),
        reply_to=message_id(gesture.peer_id, pressed) if pressed else None,
    )
    return Arrival(message=message, event_key=key, own=own, ends_chat=kind == "message_deny")


def _gesture(kind: str, gesture: Gesture, delivery: str) -> tuple[str, str, str]:
    """Which message it is or is about, its key, and the words for it."""
    if kind in CONSENTS or kind == "message_typing_state":
        return delivery, delivery, CONSENTS.get(kind, "")
    about = message_id(gesture.peer_id, gesture.cmid or 0)
    if kind == "message_event":
        name = f"{about}:press:{gesture.event_id or delivery}"
        return name, name, _payload(gesture.payload)
    if gesture.cmid is None:
        raise UnreadableError(f"{kind} names no message")
    if kind == "message_read":
        return about, f"{about}:read:{gesture.user_id}", ""
    number = gesture.reaction_id  # VK does not say which picture is which
    return about, f"{about}:{delivery}", "" if number is None else f"Реакция № {number}"


def _payload(given: Any) -> str:
    """A text as it is, everything else as JSON; VK sends either (§4.3)."""
    with suppress(UnreadableJSON):
        given = read_json(given) if isinstance(given, str) else given
    return (given or "") if given is None or isinstance(given, str) else write_json(_storable(given))


def said_in(message: Message) -> Said:
    """Words and attachments of a message with everything that it passes on (§4.4)."""
    action = message.action
    service = _worded("Служебное сообщение", action.type, action.text) if action else ""
    cut = "Пересланное показано не полностью" if message.is_cropped else ""
    said = _said(message, message_id(message.peer_id, message.cmid))
    return _together((Said((service,)), said, Said((cut,))))


def _said(message: Quoted, name: MessageId) -> Said:
    text = message.text or ""
    attached = [_attached(one, name, beside=text) for one in message.attachments]
    passed_on = [_said(one, name) for one in message.fwd_messages if one]
    quoted = [Said((f"Переслано: {one.text}".strip(),), one.media) for one in passed_on]
    place = [_place(message.geo)] if message.geo else []
    return _together([Said((text,)), *attached, *place, *quoted])


def _together(parts: Sequence[Said]) -> Said:
    """One voice has fields of its own; further ones, passed on, stand among the documents."""
    media = [part.media for part in parts]
    voices = [one for one in media if one.has_voice]
    more = (File(url=one.voice_url, file_id=one.voice_file_id, kind="voice") for one in voices[1:])
    documents = (*(file for one in media for file in one.documents), *more)
    together = (voices[0] if voices else Media()).model_copy(
        update={
            "has_images": any(one.has_images for one in media),
            "images": tuple(image for one in media for image in one.images),
            "has_video": any(one.has_video for one in media),
            "videos": tuple(file for one in media for file in one.videos),
            "has_document": bool(documents),
            "documents": documents,
            "locations": tuple(place for one in media for place in one.locations),
        }
    )
    return Said(tuple(word for part in parts for word in part.words if word), together)


def _place(geo: Geo) -> Said:
    if geo.latitude is None or geo.longitude is None:
        return Said((geo.title or "Место на карте",))
    place = Location(latitude=geo.latitude, longitude=geo.longitude, title=geo.title)
    return Said(media=Media(locations=(place,)))


def _attached(one: Attachment | None, name: MessageId, *, beside: str) -> Said:
    """`beside` are the words of the message: an address in them needs no second mention."""
    if one is None:
        return Said(("Вложение",))
    if one.type == "link" and one.thing.url and one.thing.url in beside:
        return Said()
    thing, media = one.thing, _media(one, f"{name}:{one.name}" if one.name else None)
    if media:
        return Said((LABELS[one.type],) if one.type == "graffiti" else (), media)
    facts = (thing.artist, thing.title, thing.question, thing.text, thing.price, thing.url)
    words = _worded(LABELS.get(one.type, f"Вложение {one.type[:40]}"), *facts)
    inner = [_attached(inner, name, beside=beside) for inner in thing.attachments]
    return _together([Said((words,)), *inner])


def _media(one: Attachment, file_id: str | None) -> Media | None:
    """None for what is told in words only."""
    thing = one.thing
    if one.type in {"photo", "graffiti"}:
        picture = Image(url=one.link, file_id=file_id, caption=thing.text or None)
        return Media(has_images=True, images=(picture,))
    if one.type == "audio_message":
        heard = thing.transcript if thing.transcript_state in {None, "done"} else None
        return Media(
            has_voice=True,
            voice_url=one.link,
            voice_transcribed_text=heard or None,
            voice_file_id=file_id,
            voice_seconds=thing.duration,
        )
    if one.type == "video":
        return Media(has_video=True, videos=(File(file_id=file_id, name=thing.title, kind="video"),))
    if one.type in {"doc", "sticker"}:
        kind = DOCUMENT_KINDS.get(thing.doc_type or 0, "document") if one.type == "doc" else "sticker"
        file = File(url=one.link, file_id=file_id, name=thing.title, kind=kind)
        return Media(has_document=True, documents=(file,))
    return None


def link_in(message: Message, file_id: str) -> str | None:
    """The link of an attachment, however deep in what the message passes on."""
    media = said_in(message).media
    links = {one.file_id: one.url for one in media.images} | {one.file_id: one.url for one in media.documents}
    return (links | {media.voice_file_id: media.voice_url}).get(file_id)


def _worded(label: str, *facts: str | None) -> str:
    told = ", ".join(fact for fact in facts if fact)
    return f"{label}: {told}" if told else label


def chat_info(conversation: Conversation, last: Message | None, people: People) -> ChatInfo:
    """§3.2: a dialog bears the customer's name, a group chat its title."""
    peer_id = conversation.peer_id
    return ChatInfo(
        chat_id=str(peer_id),
        client_name_untrusted=conversation.title or people.names.get(peer_id, ""),
        client_user_id=str(peer_id) if peer_id < CHATS_FROM else "",
        last_message_untrusted=said_in(last).text if last else "",
        updated_at=_iso(last.date if last else None),
    )


def chat_message(message: Message, seen: Conversation | None, group_id: int) -> ChatMessage:
    """§3.2. Our own words stand as they were sent, for a search by them. What has no time counts as new."""
    out, said = message.is_of(group_id), said_in(message)
    read_to = (seen.out_read_cmid if out else seen.in_read_cmid) if seen else None
    kind = next((one.type for one in message.attachments if one), "location" if message.geo else "text")
    return ChatMessage(
        message_id=message_id(message.peer_id, message.cmid),
        direction="out" if out else "in",
        type=TYPES.get(kind, kind),
        text_untrusted=(out and message.text) or said.text or said.media.voice_transcribed_text or "",
        image_url=next((one.url for one in said.media.images if one.url), ""),
        voice_file_id=said.media.voice_file_id or "",
        reply_to=_answered(message) or "",
        sent_at=_iso(message.date or LAST_SECOND - 1),
        read=message.cmid <= (read_to or 0),
    )


def _iso(seconds: int | None) -> str:
    return time.isoformat() if (time := moment(seconds)) else ""


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _storable(value: Any, depth: int = 0) -> Any:
    """A copy that PostgreSQL and JSON writers take: no NUL, no half emoji, cut where it nests without end."""
    if depth > DEEPEST:
        return "…"
    if isinstance(value, str):
        return without_surrogates(without_nul(value))
    if isinstance(value, list):
        return [_storable(item, depth + 1) for item in value]
    if isinstance(value, Mapping):
        return {_storable(key, depth + 1): _storable(item, depth + 1) for key, item in value.items()}
    return value
