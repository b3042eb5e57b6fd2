"""Chats and messages as the REST methods show them (contract §3.4, §3.5). Pure but for the signed links."""

from typing import Any

from sandbox.media import image_size
from sandbox.whatsapp.addresses import restyled
from sandbox.whatsapp.links import Links, file_name
from sandbox.whatsapp.payloads import author_name, contact_card
from sandbox.whatsapp.profile import Chat, Message, Person, Profile
from sandbox.whatsapp.times import utc

DIRECTION_MARKS = ("\u202a", "\u202c")


def row_view(profile: Profile, message: Message, links: Links) -> dict[str, Any]:
    """A message; the docs' keys and the newer block."""
    content, link = message.content, links.sign(message)
    return {
        "id": message.id,
        "type": content.type,
        "from": profile.address if message.own else f"{message.author}@c.us",
        "to": message.chat.id if message.own else profile.address,
        "fromMe": message.own,
        "senderName": profile.name if message.own else author_name(message),
        "time": message.created,
        "body": _body(message, link[0]),
        "stanzaId": content.about,
        "chatId": message.chat.id,
        "isForwarded": bool(content.key("is_forwarded")),
        "isReply": content.reply,
        "caption": content.key("caption"),
        "isRead": message.status == "read" if message.own else message.read,
        "delivery_status": message.status if message.own else "delivered",
        "s3Info": {"url": link[0], "expire": link[1]} if link[0] else {},
        "poll_votes": None,
        "poll_options": content.key("poll_options") or None,
        "poll_select_count": content.key("poll_select_count") or 0,
        "isEdited": content.edit,
        "isFromAPI": message.via == "api",
        "isDeleted": message.deleted,
        "isPinned": False,
        **_newer(message),
    }


def _newer(message: Message) -> dict[str, Any]:
    content = message.content
    return {
        "contact_name": message.chat.title,
        "username": "",
        "phone": "",
        "file_name": content.key("file_name"),
        "mimetype": content.media.type if content.media else "",
        "from_where": "api" if message.via == "api" else "phone",
        "isGif": False,
        "location": content.key("location") or None,
        "reactions": None,
        "wappi_bot_id": message.bot_id,
        "task_id": message.task_id,
        "template_id": "",
        "crm_entities": dict.fromkeys(("crm_type", "crm_id", "message_id", "chat_id", "manager_id"), ""),
        "is_blacklist": False,
        "billable": False,
        "attaches": None,
    }


def _body(message: Message, link: str) -> str | dict[str, Any]:
    """Text, or an object for media (§3.5)."""
    media = message.content.media
    if media is None:
        return message.content.body or ""
    shown: dict[str, Any] = {
        "JPEGThumbnail": "",
        "url": link,
        "fileName": file_name(message),
        "mimetype": media.type,
        "fileLength": len(media.content),
    }
    if size := image_size(media.content):
        shown["width"], shown["height"] = size
    return shown


def dialog_view(profile: Profile, chat: Chat, *, suffix: str, found: bool = False) -> dict[str, Any]:
    """A chat; in search answers (`found`) `last_timestamp` is the integer 0 (§2.2)."""
    person = chat.person
    return {
        "id": restyled(chat.id, suffix),
        "contact": contact_card(person) if person else None,
        "chat": user_card(person) if person else None,
        "group": None if person else {"name": chat.title},
        "isGroup": person is None,
        "image": None,
        "thumbnail": "",
        "avatar_updated_at": 0,
        **_last(profile, chat, suffix=suffix, found=found),
        "name": _name(chat),
        "unread_count": len(profile.unread(chat)),
        "isDeleted": chat.deleted,
        "isArchived": chat.archived,
    }


def _name(chat: Chat) -> str:
    """A bare phone stands between invisible direction marks."""
    start, end = DIRECTION_MARKS
    return f"{start}{chat.title}{end}" if chat.person and chat.person.nameless else chat.title


def _last(profile: Profile, chat: Chat, *, suffix: str, found: bool) -> dict[str, Any]:
    """May point to a reaction."""
    if not chat.messages:
        return {"last_message_id": "", "last_timestamp": 0 if found else "", "last_time": 0}
    last = chat.messages[-1]
    number = profile.phone if last.own else last.author
    return {
        "last_message_id": last.id,
        "last_timestamp": 0 if found else utc(last.created),
        "last_time": last.created,
        "last_message_type": last.content.type,
        "last_message_sender": {
            "id": restyled(f"{number}@c.us", suffix),
            "number": number,
            "pushname": profile.name if last.own else author_name(last),
            "isMe": last.own,
        },
        "last_message_data": last.content.words,
    }


def user_card(person: Person) -> dict[str, Any]:
    """What WhatsApp itself tells about a number."""
    devices = [f"{person.phone}.0:0@c.us"]
    return {"VerifiedName": None, "Status": "", "PictureID": "", "Devices": devices}


def contact_view(person: Person) -> dict[str, Any]:
    """A contact of `contact/get` (§3.6)."""
    name = "" if person.nameless else person.name
    return {
        "id": person.address,
        "number": person.phone,
        "is_business": False,
        "name": name,
        "pushname": name,
        "short_name": name,
        "business_name": "",
    }
