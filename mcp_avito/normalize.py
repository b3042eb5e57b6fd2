"""Avito's JSON -> our words. Pure: no network, no clock. Facts: vendor contract §3 to §6.

An event from Avito becomes

message            the customer wrote, sent or shared something
operator_message   the account itself wrote: our echo, or a person in Avito's app (`Arrival.own`)
delete             a message was deleted; it keeps its id
notice             a missed call, a system text, Avito's own chat (a2u), no author: never answered

and everything that cannot be read becomes a reason, never an exception.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from pydantic import ValidationError

from core.channel import Arrival, ChatInfo, ChatMessage, Normalized
from core.ids import AccountId, ChannelName, ChatId, MessageId, UserId
from core.messages import Event, File, Image, IncomingMessage, Location, Media, Meta
from core.vendor_json import UnreadableError, first_mistake, storable
from mcp_avito.schemas import LAST_SECOND, Chat, Content, Message, Place, Push, Value, moment

CHANNEL = ChannelName("avito")
OTHER_ACCOUNT = "other_account"
#: The fingerprint of every picture: Avito stores it anew, so its bytes cannot be compared.
IMAGE_MARK = "image"
#: Who writes when Avito names nobody.
NOBODY = UserId("0")

Fingerprint = Callable[[str], str]


class Said(NamedTuple):
    """A message's words and attachments; `typed` is what our own send of it would have carried."""

    text: str = ""
    media: Media = Media()
    typed: str = ""


def normalize(body: Any, *, user_id: int | None, account: AccountId, fingerprint: Fingerprint) -> Normalized:
    """The meaning of a parsed push (§4); `user_id` None = not known yet, any account is believed.

    `{}` is the owner's test of the address (§3.8) and means nothing. Raises nothing.
    """
    if isinstance(body, dict) and not body:
        return Normalized()
    try:
        return Normalized((_arrival(body, user_id, account, fingerprint),))
    except ValidationError as error:
        return Normalized(unknown=first_mistake(error))
    except UnreadableError as error:
        return Normalized(unknown=str(error))


def _arrival(body: Any, user_id: int | None, account: AccountId, fingerprint: Fingerprint) -> Arrival:
    push = Push.model_validate(body)
    if push.payload.type != "message":
        raise UnreadableError(f"unknown payload type {push.payload.type[:40]!r}")
    value = Value.model_validate(push.payload.value)
    if user_id is not None and value.user_id != user_id:
        raise UnreadableError(OTHER_ACCOUNT)
    return _said_as(value, push.payload.value, push.timestamp or 0, account, fingerprint)


def _said_as(
    value: Value, raw: dict[str, Any], pushed: int, account: AccountId, fingerprint: Fingerprint
) -> Arrival:
    said = said_in(value.type, value.content)
    message = _message(value, said, _timestamp(value, pushed), account, raw)
    own = message.event == "operator_message"
    return Arrival(
        message=message,
        event_key=f"{value.id}:{value.type}",
        own=own,
        fingerprint=_mark(said, fingerprint) if own else "",
    )


def _mark(said: Said, fingerprint: Fingerprint) -> str:
    """What the pending send of the same content registered; "" for what we never send."""
    if said.media.has_images:
        return IMAGE_MARK
    return fingerprint(said.typed) if said.typed else ""


def _message(
    value: Value, said: Said, timestamp: datetime, account: AccountId, raw: dict[str, Any]
) -> IncomingMessage:
    ad_id = str(value.item_id) if value.item_id else None
    return IncomingMessage(
        channel=CHANNEL,
        account=account,
        event=_event(value),
        external_user_id=UserId(str(value.author_id)) if value.author_id else NOBODY,
        external_chat_id=ChatId(value.chat_id),
        external_message_id=MessageId(value.id),
        text=said.text,
        timestamp=timestamp,
        media=said.media,
        meta=Meta(ad_channel=CHANNEL, ad_id=ad_id, raw=storable(raw)),
    )


def _timestamp(value: Value, pushed: int) -> datetime:
    published = int(value.published_at.timestamp()) if value.published_at else 0
    seconds = value.created or published or pushed
    time = moment(seconds) if 0 < seconds < LAST_SECOND else None
    if time is None:
        raise UnreadableError("no time: created, published_at and timestamp are missing or wrong")
    return time


def _event(value: Value) -> Event:
    """§6.1, §6.2: deletions and notices come first, whoever wrote them."""
    if value.type == "deleted":
        return "delete"
    if value.type in {"system", "call"} or value.chat_type == "a2u" or not value.author_id:
        return "notice"
    return "operator_message" if value.author_id == value.user_id else "message"


def said_in(kind: str, content: Content) -> Said:
    """The words and attachments of a message of this type (§5). ValueError for an unknown one."""
    reader = _READERS.get(kind)
    if reader is None:
        raise UnreadableError(f"unknown message type {kind[:40]!r}")
    return reader(content)


def _text(content: Content) -> Said:
    if content.text is None:
        raise UnreadableError("text message without content.text")
    return Said(content.text, typed=content.text)


def _image(content: Content) -> Said:
    url = content.image.largest if content.image else None
    images = (Image(url=url),) if url else ()
    return Said(media=Media(has_images=True, images=images))


def _voice(content: Content) -> Said:
    """The link is asked for later: it lives one hour (§3.7)."""
    return Said(media=Media(has_voice=True, voice_file_id=content.voice.voice_id if content.voice else None))


def _link(content: Content) -> Said:
    """The user's words are in link.text; Avito turns our own texts with an address into links as well."""
    if content.link is None:
        raise UnreadableError("link message without content.link")
    words, url = content.link.text or "", content.link.url or ""
    text = words if url in words else f"{words} {url}".strip()
    return Said(text, typed=words)


def _item(content: Content) -> Said:
    item = content.item
    facts = (item.title, item.price_string, item.item_url) if item else ()
    return Said("Объявление: " + (", ".join(fact for fact in facts if fact) or "без названия"))


def _location(content: Content) -> Said:
    place = content.location or Place()
    text = place.text or place.title or ""
    if place.lat is None or place.lon is None:
        return Said(text or "Место на карте")
    return Said(
        text, Media(locations=(Location(latitude=place.lat, longitude=place.lon, title=place.title),))
    )


def _call(content: Content) -> Said:
    missed = content.call is None or content.call.status == "missed"
    return Said("Пропущенный звонок" if missed else "Звонок")


def _system(content: Content) -> Said:
    return Said(content.text or "")


def _video(_: Content) -> Said:
    return Said(media=Media(has_video=True, videos=(File(kind="video"),)))


def _attachment(kind: str) -> Callable[[Content], Said]:
    """Avito pushes these without content: the agent learns only that there is one (§5)."""
    return lambda _: Said(media=Media(has_document=True, documents=(File(kind=kind),)))


_READERS: dict[str, Callable[[Content], Said]] = {
    "text": _text,
    "image": _image,
    "voice": _voice,
    "link": _link,
    "item": _item,
    "location": _location,
    "call": _call,
    "system": _system,
    "deleted": lambda _: Said(),
    "video": _video,
    "file": _attachment("file"),
    "appCall": _attachment("appCall"),
}


def chat_info(chat: Chat, user_id: int) -> ChatInfo:
    """§3.3: the client is the user who is not the account; the ad is there in chats about an ad only."""
    client = next((user for user in chat.users or [] if user.id not in (None, user_id)), None)
    ad = chat.context.value if chat.context and chat.context.type == "item" else None
    return ChatInfo(
        chat_id=chat.id,
        client_name_untrusted=(client.name if client else None) or "",
        client_user_id=str(client.id) if client else "",
        ad_id=str(ad.id) if ad and ad.id else "",
        ad_title_untrusted=(ad.title if ad else None) or "",
        ad_price_untrusted=(ad.price_string if ad else None) or "",
        ad_url_untrusted=(ad.url if ad else None) or "",
        last_message_untrusted=_words(chat.last_message) if chat.last_message else "",
        updated_at=_iso(chat.updated),
    )


def chat_messages(rows: Sequence[Message | None], user_id: int) -> list[ChatMessage]:
    """A page of history (§3.4), newest first, without rows that cannot be read.

    A message without a time has its neighbour's: who looks for a lost send must not take it for old.
    """
    messages = [row for row in rows if row]
    seconds = next((message.created for message in messages if message.created), LAST_SECOND - 1)
    shown = []
    for message in messages:
        seconds = message.created or seconds
        shown.append(_chat_message(message, user_id, seconds))
    return shown


def lost_messages(
    chat: Chat, rows: Sequence[Message | None], user_id: int, account: AccountId, fingerprint: Fingerprint
) -> list[Arrival]:
    """A page of history (§3.4) as its pushes would have told it, oldest first; what cannot be read is left.

    The history has no chat type: Avito's own chat with the seller (a2u) has no ad and no client.
    """
    ad = chat.context.value if chat.context and chat.context.type == "item" else None
    kind = "u2i" if ad else "u2u" if chat_info(chat, user_id).client_user_id else "a2u"
    found = []
    for row in reversed([one for one in rows if one]):
        told = row.model_dump(mode="json", exclude_defaults=True) | {"chat_id": chat.id, "user_id": user_id}
        told |= {"chat_type": kind, "item_id": ad.id if ad else None}
        try:
            found.append(_said_as(Value.model_validate(told), told, 0, account, fingerprint))
        except (ValidationError, UnreadableError):
            continue
    return found


def _chat_message(message: Message, user_id: int, seconds: int) -> ChatMessage:
    """`read` means by the business for incoming, by the client for outgoing messages (§10)."""
    out = message.direction == "out" or (message.direction is None and message.author_id == user_id)
    content = message.content
    return ChatMessage(
        message_id=message.id,
        direction="out" if out else "in",
        type=message.type,
        text_untrusted=_words(message, own=out),
        image_url=(content.image.largest if content.image else None) or "",
        voice_file_id=(content.voice.voice_id if content.voice else None) or "",
        sent_at=_iso(seconds),
        read=message.read is not None if out else bool(message.is_read),
    )


def _words(message: Message, *, own: bool = False) -> str:
    """Our own words are given back as they were sent, for a search by them."""
    try:
        said = said_in(message.type, message.content)
    except UnreadableError:
        return ""
    return said.typed or said.text if own else said.text


def _iso(seconds: int | None) -> str:
    time = moment(seconds)
    return time.isoformat() if time else ""
