"""What a customer sees on the phone."""

from typing import Any

from sandbox.whatsapp.account import Account
from sandbox.whatsapp.links import Links
from sandbox.whatsapp.profile import Chat, Content, Message, Person, Profile


def is_in(person: Person, chat: Chat) -> bool:
    """In a conversation of one's own, or a group one has written in."""
    if chat.person:
        return chat.person.phone == person.phone
    return any(message.author == person.phone for message in chat.messages)


def chat_summary(account: Account, profile: Profile, chat: Chat) -> dict[str, Any]:
    several = len(account.profiles) > 1 and chat.person is not None
    return {
        "id": account.key_of(profile, chat),
        "type": "dialog" if chat.person else "group",
        "title": profile.name if chat.person else chat.title,
        "note": f"+{profile.phone}",
        "topic": int(profile.phone) if several else None,
        "typing": profile.now() < chat.typing_until,
    }


def seen_messages(account: Account, profile: Profile, chat: Chat, links: Links) -> list[dict[str, Any]]:
    """Edits are applied, reactions that were taken back and what never arrived are not there."""
    edits = {m.content.about: m.content.body for m in chat.messages if m.content.edit}
    marks = _marks(chat)
    return [
        {
            **_seen(account, profile, message, edits.get(message.id), links),
            "edited": message.id in edits,
            "marks": list(marks.get(message.id, {}).values()),
        }
        for message in chat.messages
        if message.reaches and not _is_hidden(message)
    ]


def _marks(chat: Chat) -> dict[str, dict[str, str]]:
    """By message and writer, the latest reaction; an empty one has taken it back."""
    marks: dict[str, dict[str, str]] = {}
    for one in chat.messages:
        if one.content.type == "reaction" and one.reaches:
            given = marks.setdefault(one.content.about, {})
            given.pop(one.author, None)
            given |= {one.author: one.content.body} if one.content.body else {}
    return marks


def _is_hidden(message: Message) -> bool:
    is_edit = message.content.edit and message.content.about != message.id
    return is_edit or (message.content.type == "reaction" and not message.content.body)


def _words(content: Content) -> str:
    """A place and a person are shown by their names."""
    place, person = content.key("location"), content.key("contact")
    if content.type == "location" and isinstance(place, dict):
        return str(place.get("description") or "")
    if content.type == "vcard" and isinstance(person, dict):
        return f"{person.get('display_name', '')} {person.get('phone', '')}".strip()
    return content.words


def _seen(
    account: Account, profile: Profile, message: Message, edited: str | None, links: Links
) -> dict[str, Any]:
    """`direction` is the business's: a customer's own messages are `in`, replies are `out`."""
    link, kind = links.lasting(message), message.content.type
    writer = account.people.get(message.author)
    return {
        "id": message.id,
        "chat_id": account.key_of(profile, message.chat),
        "direction": "out" if message.own else "in",
        "type": "deleted" if message.deleted else kind,
        "text": _words(message.content) if edited is None else edited,
        "image_url": link if kind in {"image", "sticker"} else None,
        "voice_url": link if kind in {"ptt", "audio"} else None,
        "file_url": link,
        "content": dict(message.content.extra),
        "quote": message.content.about or None,
        "created": message.created,
        "read": message.status == "read" if message.own else message.read,
        "author": profile.name if message.own else writer.name if writer else message.author,
        "via": message.via,
    }
