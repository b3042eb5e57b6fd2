"""What a customer sees on the phone. Pure."""

from sandbox.instagram.shop import Chat, Json, Message
from sandbox.vendor import button


def chat_summary(chat: Chat) -> Json:
    return {
        "id": chat.id,
        "type": "direct",
        "title": chat.account.name,
        "note": "печатает…" if chat.typing else None,
        "topic": None,
        "typing": chat.typing,
    }


def seen_message(chat: Chat, message: Message, *, newest: bool) -> Json:
    """`direction` is the business's; `newest`: nothing that is still there follows in the chat."""
    attachments = message.content.get("attachments", [])
    return {
        "id": message.id,
        "chat_id": chat.id,
        "direction": "out" if message.own else "in",
        "type": message.type,
        "text": message.text or _title(message.content),
        "image_url": _link(attachments, {"image", "story_mention", "story", "ig_story", "ig_post", "share"}),
        "voice_url": _link(attachments, {"audio"}),
        "content": {**message.content, **message.extras},
        "created": int(message.created),
        "read": message.read_at is not None,
        "edited": message.edits > 0,
        "reactions": message.reactions,
        "marks": list(message.reactions.values()),
        "buttons": _quick_replies(message) if newest else [],
        "author": chat.account.name if message.own else chat.person.named,
        "via": message.via,
    }


def _quick_replies(message: Message) -> list[list[Json]]:
    """They are gone as soon as anybody writes. One's phone or address cannot be shared in the sandbox."""
    return [[_quick_reply(given)] for given in message.extras.get("quick_replies", [])]


def _quick_reply(given: Json) -> Json:
    if given["content_type"] != "text":
        return button(given["content_type"])
    tap = {"type": "quick_reply", "text": given["title"], "content": {"payload": given["payload"]}}
    return button(given["title"], press=tap)


def _link(attachments: list[Json], kinds: set[str]) -> str | None:
    links = (a.get("payload", {}).get("url") for a in attachments if a.get("type") in kinds)
    return next((str(link) for link in links if link), None)


def _title(content: Json) -> str:
    titles = (a.get("payload", {}).get("title") for a in content.get("attachments", []))
    return next((str(title) for title in titles if title), "")
