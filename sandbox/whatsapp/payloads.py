"""Webhook items (contract §4). Pure."""

import base64
from dataclasses import dataclass
from typing import Any

from sandbox.whatsapp.addresses import digits
from sandbox.whatsapp.faults import WhatsAppFaults
from sandbox.whatsapp.links import Links
from sandbox.whatsapp.profile import Content, Message, Person, Profile
from sandbox.whatsapp.times import moscow

# The keys of 2022 (§4.1: the stable core, and what the older samples had); media bodies stay, links do not.
OLD_KEYS = frozenset(
    {"wh_type", "profile_id", "id", "timestamp", "time", "body", "type", "from", "to", "chatId", "task_id"}
    | {"senderName", "caption", "mimetype", "file_name", "isReply", "stanza_id", "reply_message"}
)
THUMBNAIL_BYTES = 600


@dataclass(frozen=True, slots=True)
class Shape:
    """How payloads look today: the switches, and where links come from."""

    faults: WhatsAppFaults
    links: Links

    def times(self, moment: float) -> dict[str, Any]:
        """`timestamp` is the string here, `time` the integer."""
        return {"timestamp": moscow(moment, self.faults.fraction_digits), "time": int(moment)}


def wh_type_of(message: Message, faults: WhatsAppFaults) -> str:
    if message.via == "api":
        return "outgoing_message_api"
    if message.via == "operator" and not faults.operator_as_incoming:
        return "outgoing_message_phone"
    return "incoming_message"


def message_item(profile: Profile, message: Message, shape: Shape) -> dict[str, Any]:
    """One message, incoming or own; what the content says itself overrides the rest."""
    item = {
        **_core(profile, message, shape),
        **_names(profile, message, shape),
        **_marks(message, shape),
        **_file(message, shape),
        **_reply(profile, message, shape),
    }
    if shape.faults.fields == "short":
        item = {key: value for key, value in item.items() if key in OLD_KEYS}
    item.update(message.content.extra)
    return item


def _core(profile: Profile, message: Message, shape: Shape) -> dict[str, Any]:
    chat, content = message.chat, message.content
    core = {
        "wh_type": wh_type_of(message, shape.faults),
        "profile_id": profile.id,
        "id": content.about if content.edit and shape.faults.edit_id == "same" else message.id,
        **shape.times(message.created),
        "type": content.type,
        "from": profile.address if message.own else f"{message.author}@c.us",
        "to": chat.id if message.own else profile.address,
        "chatId": chat.id,
    }
    if content.body is not None:
        core["body"] = content.body
    if message.via == "api":
        core["task_id"] = message.task_id
    return core


def _names(profile: Profile, message: Message, shape: Shape) -> dict[str, Any]:
    """In a group `contact_name` is the group's title (§4.1)."""
    person = message.chat.person
    return {
        "senderName": profile.name if message.own else author_name(message),
        "senderLastName": "",
        "contact_name": message.chat.title,
        "contact_last_name": "",
        "contact_phone": "",
        "contact_username": "",
        "chat_type": "dialog" if person else "group",
        "thumbnail": shape.links.avatar(),
        "picture": "",
        "whatsapp_chat_id": person.lid if person else message.chat.id,
        "platform": "whatsapp",
    }


def author_name(message: Message) -> str:
    """The push name; in a group the participant's."""
    extra = message.content.extra.get("senderName")
    person = message.chat.person
    return str(extra) if extra else person.name if person else message.author


def _marks(message: Message, shape: Shape) -> dict[str, Any]:
    return {
        "caption": None,
        "from_where": "api" if message.via == "api" else "phone",
        "is_forwarded": False,
        "isReply": message.content.reply,
        "is_edited": message.content.edit,
        "stanza_id": message.content.about,
        "is_me": message.own,
        "isGif": False,
        "wappi_bot_id": message.bot_id if shape.faults.bot_id_returns else "",
        "is_deleted": message.deleted,
        "is_bot": False,
        "is_blacklist": False,
        "is_callback": False,
        "is_command": False,
        "is_topic": False,
        "attaches": None,
    }


def _file(message: Message, shape: Shape) -> dict[str, Any]:
    """Base64 in `body`, a link, or both (§4.2); `media_info.size` is 0 as in the real sample."""
    content, how = message.content, shape.faults.media_as
    seconds = content.key("length_seconds") or 0
    keys: dict[str, Any] = {
        "file_name": "",
        "mimetype": content.media.type if content.media else "",
        "length_seconds": seconds,
        "file_link": "",
        "file_link_expire": 0,
        "media_info": {
            **dict.fromkeys(("width", "height", "size"), 0),
            "duration": seconds,
            "is_round": False,
            "is_group": False,
            "grouped_id": "",
        },
    }
    if content.media and not message.deleted:
        raw = {"both": None, "base64": None, "thumbnail": THUMBNAIL_BYTES}.get(how, 0)
        keys["body"] = base64.b64encode(content.media.content[:raw]).decode()
        if how in {"both", "link"}:
            keys["file_link"], keys["file_link_expire"] = shape.links.sign(message)
    return keys


def _reply(profile: Profile, message: Message, shape: Shape) -> dict[str, Any]:
    """§4.3: a quoted picture is a link, `time` is 0, and the quote may repeat the reply's own text."""
    quoted = profile.messages.get(message.content.about)
    if not message.content.reply or quoted is None:
        return {}
    body = shape.links.sign(quoted)[0] or quoted.content.body or ""
    shown = {
        "id": quoted.id,
        "body": message.content.body if shape.faults.reply_repeats_own_text else body,
        "type": quoted.content.type,
        "chatId": "",
        "timestamp": moscow(quoted.created),
        "time": 0,
        "caption": quoted.content.key("caption"),
        "file_name": quoted.content.key("file_name"),
        "contact_name": "",
    }
    return {"reply_message": shown}


def status_item(profile: Profile, message: Message, shape: Shape, *, at: float) -> dict[str, Any]:
    """§4.5: `chat_id` here, not `chatId`."""
    return {
        "id": message.id,
        "profile_id": profile.id,
        "wh_type": "delivery_status",
        **shape.times(at),
        "from": profile.address,
        "to": message.chat.id,
        "chat_id": message.chat.id,
        "status": message.status,
        "task_id": message.task_id,
    }


def state_item(profile: Profile, wh_type: str, state: str, shape: Shape, reason: str) -> dict[str, Any]:
    """`authorization_status` and `application_status` (§4.6): no id, a `reason` only where one is known."""
    item = {"wh_type": wh_type, "profile_id": profile.id, "status": state}
    return (
        item | ({"reason": reason} if reason else {}) | {"phone": profile.phone, **shape.times(profile.now())}
    )


def call_item(profile: Profile, person: Person, kind: str, shape: Shape) -> dict[str, Any]:
    return {
        "wh_type": "incoming_call",
        "type": kind,
        "profile_id": profile.id,
        "number": digits(person.address),
        "contact": contact_card(person),
        **shape.times(profile.now()),
    }


def contact_card(person: Person) -> dict[str, Any]:
    """Capitalised keys (§3.4); somebody of whom only the phone is known is not found."""
    name = "" if person.nameless else person.name
    names = {"FirstName": name, "FullName": name, "PushName": name}
    return {"Found": not person.nameless, **names, "BusinessName": ""}


def text_content(text: str, *, about: str = "", reply: bool = False, edit: bool = False) -> Content:
    return Content("chat", text, about=about, reply=reply, edit=edit)
