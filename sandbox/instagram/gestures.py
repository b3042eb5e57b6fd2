"""What a customer does without a new message: taps, reactions, edits, reading, blocking, comments (§13.6)."""

from collections.abc import Callable

from sandbox.answers import refuse
from sandbox.faults import Switchboard
from sandbox.instagram.events import (
    REACTIONS,
    Event,
    change_event,
    edit_event,
    postback_event,
    reaction_event,
    read_event,
    referral_event,
    service_event,
    unsent_event,
)
from sandbox.instagram.faults import InstagramFaults
from sandbox.instagram.letters import REFERRAL
from sandbox.instagram.shop import Chat, Comment, Json, Message, Shop, new_mid
from sandbox.instagram.webhooks import Webhooks
from sandbox.vendor import Letter

SERVICE = (
    "optin",
    "pass_thread_control",
    "take_thread_control",
    "request_thread_control",
    "policy_enforcement",
)


class Gestures:
    def __init__(self, shop: Shop, webhooks: Webhooks, switches: Switchboard[InstagramFaults]) -> None:
        self._shop = shop
        self._webhooks = webhooks
        self._switches = switches
        self._doers: dict[str, Callable[[Chat, Letter, Json], list[str]]] = {
            "postback": self._postback,
            "icebreaker": self._postback,
            "reaction": self._react,
            "unreaction": self._react,
            "edit": self._edit,
            "delete": lambda chat, _, given: self.unsend(_own(chat, given)),
            "read": lambda chat, _, __: [message.id for message in self.read(chat)],
            "referral": self._referral,
            "comment": self._comment,
            "live_comment": self._comment,
            "mention": self._mention,
            "block": self._block,
            "unblock": self._block,
            **dict.fromkeys(SERVICE, self._service),
        }

    @property
    def kinds(self) -> set[str]:
        return set(self._doers)

    def do(self, chat: Chat, letter: Letter) -> list[str]:
        """The ids of what was made or changed."""
        return self._doers[str(letter.type)](chat, letter, letter.content or {})

    def read(self, chat: Chat) -> list[Message]:
        """One `read` with the newest mid; there are no delivery receipts (§13.6)."""
        fresh = self._shop.read_by(chat, business=False)
        if fresh:
            self._tell(chat, read_event(chat, fresh[-1].id, self._shop.now()))
        return fresh

    def unsend(self, message: Message) -> list[str]:
        if not message.deleted:
            message.deleted = True
            chat = self._shop.chats[message.chat_id]
            self._tell(chat, unsent_event(chat, message, self._shop.now()))
        return [message.id]

    def _tell(self, chat: Chat, event: Event) -> None:
        self._webhooks.announce(chat, event)

    def _postback(self, chat: Chat, letter: Letter, given: Json) -> list[str]:
        """An icebreaker or a button: opens the window and gives the consent (§6, §9)."""
        title = letter.text or str(given.get("title", "Узнать цену"))
        message = Message(
            id=new_mid(),
            number=len(self._shop.messages),
            chat_id=chat.id,
            own=False,
            type="postback",
            content={"text": title},
            created=self._shop.now(),
            via="customer",
        )
        self._shop.keep(chat, message)
        self._tell(chat, postback_event(chat, message, str(given.get("payload", "ICE_PRICE"))))
        return [message.id]

    def _react(self, chat: Chat, letter: Letter, given: Json) -> list[str]:
        """To the named message, or to the newest of the business."""
        message = _named(chat, given, own=None) if "mid" in given else _newest(chat, own=True)
        reaction = str(given.get("reaction", "love"))
        emoji = REACTIONS.get(reaction, reaction) if letter.type == "reaction" else None
        if emoji:
            message.reactions[chat.id] = emoji
        else:
            message.reactions.pop(chat.id, None)
        self._tell(chat, reaction_event(chat, message.id, self._shop.now(), emoji))
        return [message.id]

    def _edit(self, chat: Chat, letter: Letter, given: Json) -> list[str]:
        message = _own(chat, given)
        if message.type != "text":
            refuse(409, "only texts can be edited")
        message.content = {**message.content, "text": letter.text or str(given.get("text", "исправлено"))}
        message.edits += 1
        as_text = self._switches.now.num_edit_text
        self._tell(chat, edit_event(chat, message, self._shop.now(), as_text=as_text))
        return [message.id]

    def _referral(self, chat: Chat, _: Letter, given: Json) -> list[str]:
        """A link or an ad that opens an existing thread; no message, so no window."""
        made = {name: REFERRAL[name] for name in ("ref", "source", "type")}
        self._tell(chat, referral_event(chat, self._shop.now(), {**made, **given}))
        return []

    def _comment(self, chat: Chat, letter: Letter, given: Json) -> list[str]:
        """The `value` of a comment is not in the contract: id, text, from, media are from memory."""
        live, number = letter.type == "live_comment", str(18_000_000_000_500_000 + len(self._shop.comments))
        text = letter.text or str(given.get("text", "Сколько стоит?"))
        self._shop.comments[number] = Comment(number, chat, text, live, self._shop.now())
        person = {"id": chat.id, "username": chat.person.username}
        kind = "LIVE" if live else "FEED"
        media = {"id": "18000000000000101", "media_product_type": kind}
        value = {"id": number, "text": text, "from": person, "media": media, **given}
        self._tell(chat, change_event("live_comments" if live else "comments", value))
        return [number]

    def _mention(self, chat: Chat, _: Letter, given: Json) -> list[str]:
        value = {"media_id": "18000000000000201", "comment_id": "18000000000000202", **given}
        self._tell(chat, change_event("mentions", value))
        return []

    def _service(self, chat: Chat, letter: Letter, given: Json) -> list[str]:
        self._tell(chat, service_event(chat, self._shop.now(), str(letter.type), given))
        return []

    def _block(self, chat: Chat, letter: Letter, _: Json) -> list[str]:
        """No webhook tells of it; sends and the profile are refused (§9, §12)."""
        chat.person.blocked = letter.type == "block"
        return []


def _own(chat: Chat, given: Json) -> Message:
    return _named(chat, given, own=False) if "mid" in given else _newest(chat, own=False)


def _named(chat: Chat, given: Json, *, own: bool | None) -> Message:
    found = next((m for m in chat.alive() if m.id == given["mid"]), None)
    if found is None or own not in {None, found.own}:
        refuse(404, "content.mid: this customer has no such message")
    return found


def _newest(chat: Chat, *, own: bool) -> Message:
    found = next((m for m in reversed(chat.alive()) if m.own is own), None)
    if found is None:
        refuse(404, "there is no message yet")
    return found
