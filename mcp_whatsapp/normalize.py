"""Wappi's JSON -> our words. Pure: no network, no clock. Facts: vendor contract §2 to §5.

An event from Wappi becomes

message            the customer wrote, sent or shared something
postback           the customer pressed a button, chose from a list, or voted in a poll
operator_message   the account itself wrote: our echo, another program, or a person (`Arrival.own`)
edit, delete       of a message, under the id of that message
reaction           of a customer
delivered, read    of our message
notice             groups and all else that is no private chat, calls, failed deliveries, our own reactions:
                   kept, never answered
nothing            `pending`, and the session's ups and downs, which belong to no chat

and everything that cannot be read becomes a reason, never an exception.
"""

import re
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, NamedTuple

from pydantic import ValidationError

from core.channel import Arrival, ChatInfo, ChatMessage, Normalized
from core.ids import AccountId, ChannelName
from core.messages import Contact, Event, File, Image, IncomingMessage, Location, Media, Meta
from core.vendor_json import UnreadableError, first_mistake, storable
from mcp_whatsapp import schemas
from mcp_whatsapp.schemas import Item, address, moment, without_marks

CHANNEL = ChannelName("whatsapp")
#: The fingerprints of files: WhatsApp stores them anew, so their bytes cannot be compared.
MARKS = {"image": "image", "ptt": "voice", "audio": "voice", "video": "video", "document": "document"}
#: Longer texts of a raw event are files in base64, or stand in the message already.
LONGEST_KEPT = 4_096

_MESSAGES = frozenset({"incoming_message", "outgoing_message_api", "outgoing_message_phone"})
#: Types whose body is words; of the others it is the file in base64, and stays out of everything.
_WORDED = frozenset(
    {"chat", "vcard", "reaction", "poll", "buttons", "list", "buttons_response", "list_response"}
)
_FAILURES = {
    "undelivered": "Сообщение не доставлено",
    "error": "Сообщение не отправлено: ошибка WhatsApp",
    "temporary ban": "WhatsApp временно запретил этому номеру отправлять сообщения",
}
_CALLS = {
    "missed_call": "Пропущенный звонок",
    "call_accept": "Звонок принят",
    "call_terminate": "Звонок завершён",
}


class Whose(NamedTuple):
    """The account that hears the events; `phone` None = not known yet."""

    profile_id: str
    phone: str | None
    account: AccountId
    fingerprint: Callable[[str], str]


class Said(NamedTuple):
    """A message's words and attachments."""

    text: str = ""
    media: Media = Media()


def normalize(body: Any, whose: Whose) -> Normalized:
    """The meaning of a parsed delivery (§4), each of its events on its own. Raises nothing."""
    if isinstance(body, dict) and not body:
        return Normalized()
    try:
        events = schemas.Delivery.model_validate(body).messages
    except ValidationError as error:
        return Normalized(unknown=first_mistake(error))
    arrivals, reasons, foreign = [], dict[str, None](), set()
    for event in events:
        try:
            head = schemas.Event.model_validate(event)
            if head.profile_id != whose.profile_id:
                foreign.add(head.profile_id)
            elif arrival := _arrival(head.wh_type, event, whose):
                arrivals.append(arrival)
        except ValidationError as error:
            reasons[first_mistake(error)] = None
        except UnreadableError as error:
            reasons[str(error)] = None
    return Normalized(tuple(arrivals), unknown="; ".join(reasons)[:300], foreign=frozenset(foreign))


def arrivals_of_rows(rows: Iterable[Any], whose: Whose) -> list[Arrival]:
    """What a webhook would have told of these rows of the history (§3.5, newest first), oldest first.

    An edit that took the message's own id is told after the message. Rows that cannot be read are left out.
    """
    arrivals = []
    for item, row in reversed(_readable(rows)):
        said = [item] if item.type != "reaction" or item.body else []
        if item.edited and item.stanza in {None, "", item.id}:
            said.insert(0, item.model_copy(update={"edited": False}))
        try:
            arrivals += [_message(one, row, whose) for one in said]
        except (ValidationError, UnreadableError):
            continue
    return sorted(arrivals, key=lambda arrival: arrival.message.timestamp)


def barred_at(rows: Iterable[Any], phone: str | None) -> datetime | None:
    """When WhatsApp refused the newest of our messages because it bars the number for a time (§4.5)."""
    ours = (item for item, _ in _readable(rows) if _is_own(item, phone))
    newest = next((item for item in ours if item.status not in {None, "", "pending"}), None)
    return newest.at if newest and newest.status == "temporary ban" else None


def _readable(rows: Iterable[Any]) -> list[tuple[Item, Any]]:
    items = ((schemas.ROW.validate_python(row), row) for row in rows)
    return [(item, row) for item, row in items if item]


def _arrival(wh_type: str, event: Any, whose: Whose) -> Arrival | None:
    if wh_type in _MESSAGES:
        return _message(Item.model_validate(event), event, whose)
    if wh_type in _SERVICE:
        return _SERVICE[wh_type](event, whose)
    raise UnreadableError(f"unknown wh_type {wh_type[:40]!r}")


def _message(item: Item, raw: Any, whose: Whose) -> Arrival:
    own = _is_own(item, whose.phone)
    event = _event(item, own=own)
    said = Said() if item.deleted else said_in(item)
    changes = event in {"edit", "delete"}
    changed = item.key if event == "notice" and (item.deleted or item.edited) else item.id
    message = IncomingMessage.model_validate(
        {
            **_about(item.chat, item.at, raw, whose),
            "event": event,
            "external_user_id": address(item.chat) if own and changes else _author(item, whose, own=own),
            "own": own and changes,
            "external_message_id": item.target if changes else changed,
            "text": said.text,
            "client_name": item.client_name(own=own),
            "client_username": item.client_username(own=own),
            "media": said.media,
            "reply_to": item.stanza if item.type in {"reaction", "poll_vote"} else item.quoted,
        }
    )
    if changes:
        # What a person changed by hand is no echo, even when the message itself was ours.
        return Arrival(message, item.key, own=own and event == "edit" and not item.typed_by_hand)
    return Arrival(message, item.key, own=own, fingerprint=_mark(item, whose) if own else "")


def _is_own(item: Item, phone: str | None) -> bool:
    """§4.4: three signs, and one is enough."""
    if (item.wh_type or "").startswith("outgoing_") or item.own:
        return True
    return bool(phone and item.sender and address(item.sender) == phone)


def _event(item: Item, *, own: bool) -> Event:
    """Groups come first: an agent that answers in them is a classic accident (§5)."""
    if not item.in_private or (own and item.type == "reaction"):
        return "notice"
    if item.deleted:
        return "delete"
    if item.type == "reaction":
        return "reaction"
    if item.edited:
        return "edit"
    if own:
        return "operator_message"
    if item.type == "poll_vote":
        return "postback" if item.chosen else "notice"
    return "postback" if item.type in {"buttons_response", "list_response"} else "message"


def _author(item: Item, whose: Whose, *, own: bool) -> str:
    if item.sender:
        return address(item.sender)
    return whose.phone or "0" if own else address(item.chat)


def _mark(item: Item, whose: Whose) -> str:
    """What the pending send of the same content registered; "" for what we never send."""
    return whose.fingerprint(item.body or "") if item.type == "chat" else MARKS.get(item.type, "")


def _receipt(raw: Any, whose: Whose) -> Arrival | None:
    """§4.5; `pending` tells nothing that the send has not told."""
    receipt = schemas.Receipt.model_validate(raw)
    key, told = f"{receipt.id}:{receipt.status}", _about(receipt.chat, receipt.at, raw, whose)
    if receipt.status == "pending":
        return None
    if words := _FAILURES.get(receipt.status):
        told |= {"event": "notice", "external_message_id": key, "text": words, "reply_to": receipt.id}
    elif receipt.status in {"delivered", "read"}:
        told |= {"event": receipt.status, "external_message_id": receipt.id}
    else:
        raise UnreadableError(f"unknown delivery status {receipt.status[:40]!r}")
    return Arrival(IncomingMessage.model_validate(told), key)


def _call(raw: Any, whose: Whose) -> Arrival:
    """§4.6: without an id, so it is named by who called when."""
    call = schemas.Call.model_validate(raw)
    key = f"{call.type}:{address(call.number)}:{_known(call.at).timestamp():.0f}"
    names = (call.contact.full_name, call.contact.push_name) if call.contact else ()
    told = {
        "event": "notice",
        "external_message_id": key,
        "text": _CALLS.get(call.type, "Звонок"),
        "client_name": next(filter(None, map(without_marks, names)), None),
    }
    return Arrival(IncomingMessage.model_validate(_about(call.number, call.at, raw, whose) | told), key)


#: `authorization_status` and `application_status` belong to no chat: the watch asks for the session.
_SERVICE: dict[str, Callable[[Any, Whose], Arrival | None]] = {
    "delivery_status": _receipt,
    "incoming_call": _call,
    "authorization_status": lambda *_: None,
    "application_status": lambda *_: None,
}


def _about(chat: str, time: datetime | None, raw: Any, whose: Whose) -> dict[str, Any]:
    """What every event of a chat tells."""
    return {
        "channel": CHANNEL,
        "account": whose.account,
        "external_user_id": address(chat),
        "external_chat_id": address(chat),
        "timestamp": _known(time),
        "client_phone": schemas.phone_of(chat),
        "meta": Meta(ad_channel=CHANNEL, raw=_kept(raw)),
    }


def said_in(item: Item) -> Said:
    """The words and attachments of a message by its type (§4.2)."""
    return _READERS.get(item.type, _unsupported)(item)


def _words(item: Item) -> Said:
    if item.body is None and item.type != "reaction":
        raise UnreadableError(f"{item.type} without a body")
    return Said(item.body or "")


def _image(item: Item) -> Said:
    image = Image(url=item.link, file_id=item.target, caption=item.caption or None)
    return Said(item.caption or "", Media(has_images=True, images=(image,)))


def _video(item: Item) -> Said:
    kind = "gif" if item.is_gif else item.type
    return Said(item.caption or "", Media(has_video=True, videos=(_file(item, kind),)))


def _document(item: Item) -> Said:
    """Pictures and videos that were sent as files come here too: the media type tells."""
    family = (item.mimetype or "").partition("/")[0]
    reader = {"image": _image, "video": _video}.get(family, _attached)
    return reader(item)


def _attached(item: Item) -> Said:
    kind = "audio" if item.type == "ptt" else item.type
    return Said(item.caption or "", Media(has_document=True, documents=(_file(item, kind),)))


def _voice(item: Item) -> Said:
    """A plain audio file calls itself `ptt` as well: only ogg is a voice note."""
    if item.mimetype and not re.search("ogg|opus", item.mimetype):
        return _attached(item)
    told = {"voice_url": item.link, "voice_file_id": item.target, "voice_seconds": item.length_seconds}
    return Said(media=Media.model_validate({"has_voice": True, **told}))


def _file(item: Item, kind: str) -> File:
    return File(url=item.link, file_id=item.target, name=item.file_name or None, kind=kind)


def _location(item: Item) -> Said:
    place = item.location or schemas.Place()
    words = place.description or ""
    if place.latitude is None or place.longitude is None:
        return Said(words or "Место на карте")
    found = Location(latitude=place.latitude, longitude=place.longitude, title=words or None)
    return Said(words, Media(locations=(found,)))


def _contact(item: Item) -> Said:
    name, phone = item.card
    if not (name or phone):
        return Said("Контакт")
    return Said(media=Media(contacts=(Contact(name=name, phone=phone),)))


def _poll(item: Item) -> Said:
    options = [f"- {option}" for option in item.poll_options or []]
    return Said("\n".join([f"Опрос: {item.body or 'без вопроса'}", *options]))


def _unsupported(item: Item) -> Said:
    """A type of tomorrow is a customer's message as well: its file, or a word that there is something."""
    if item.mimetype or item.link:
        return _document(item)
    told = f"Сообщение, которого Wappi не показывает программам: {item.type[:40]}"
    return Said("\n".join(filter(None, (item.caption, told))))


def _vote(item: Item) -> Said:
    return Said(", ".join(item.chosen or []) or "Голос в опросе снят")


_READERS: dict[str, Callable[[Item], Said]] = {
    **dict.fromkeys(_WORDED, _words),
    **dict.fromkeys(("audio", "sticker"), _attached),
    "image": _image,
    "video": _video,
    "document": _document,
    "ptt": _voice,
    "location": _location,
    "vcard": _contact,
    "poll": _poll,
    "poll_vote": _vote,
}


def chat_info(dialog: schemas.Dialog) -> ChatInfo:
    """§3.4: the first name that says something, else the number."""
    known, contact = address(dialog.id), dialog.contact or schemas.Card()
    names = map(without_marks, (dialog.name, contact.full_name, contact.push_name))
    updated = moment(dialog.last_time, dialog.last_timestamp)
    return ChatInfo(
        chat_id=known,
        client_name_untrusted=next(filter(None, names), known),
        client_user_id=known if schemas.is_person(dialog.id) else "",
        last_message_untrusted=dialog.last_words or "",
        updated_at=updated.isoformat() if updated else "",
    )


def chat_messages(rows: Iterable[Any], phone: str | None) -> list[ChatMessage]:
    """A page of history (§3.5) without rows that cannot be read.

    A message without a time has its neighbour's: who looks for a lost send must not take it for old.
    """
    items = [item for item, _ in _readable(rows)]
    time = next((item.at for item in items if item.at), moment(schemas.LAST_SECOND - 1))
    shown = []
    for item in items:
        time = item.at or time
        shown.append(_chat_message(item, _known(time), own=_is_own(item, phone)))
    return shown


def _chat_message(item: Item, time: datetime, *, own: bool) -> ChatMessage:
    try:
        said = Said() if item.deleted else said_in(item)
    except UnreadableError:
        said = Said()
    return ChatMessage(
        message_id=item.id,
        direction="out" if own else "in",
        type=item.type,
        text_untrusted=said.text,
        image_url=(said.media.images[0].url or "") if said.media.images else "",
        voice_file_id=said.media.voice_file_id or "",
        reply_to=item.quoted or "",
        sent_at=time.isoformat(),
        read=bool(item.read) or (own and item.status == "read"),
    )


def _known(time: datetime | None) -> datetime:
    if time is None:
        raise UnreadableError("no time: time and timestamp are missing or wrong")
    return time


def _kept(raw: dict[str, Any]) -> Any:
    """The vendor's own event for study, without the file (§4.2: tens of megabytes of base64)."""
    kind = str(raw.get("type"))
    worded = kind in _WORDED or kind not in _READERS
    kept = {name: value for name, value in raw.items() if name != "body" or worded}
    return storable(kept, longest=LONGEST_KEPT)
