"""Everything that is written goes through here: stored, told to the subscriber, followed by its statuses."""

import uuid
from dataclasses import dataclass, replace

from sandbox.faults import Switchboard
from sandbox.whatsapp.addresses import digits, is_never_delivered
from sandbox.whatsapp.faults import WhatsAppFaults
from sandbox.whatsapp.herald import Herald
from sandbox.whatsapp.postman import Postman
from sandbox.whatsapp.profile import Chat, Content, Message, Person, Profile, Via
from sandbox.whatsapp.settings import WhatsAppSandboxSettings

RANKS = {"": 0, "pending": 1, "delivered": 2, "read": 3}
FINAL = {"undelivered", "error", "temporary ban", "read"}


@dataclass(frozen=True, slots=True)
class Origin:
    """By whose hand an own message goes out."""

    via: Via = "api"
    task_id: str = ""
    bot_id: str = ""


class Exchange:
    def __init__(
        self,
        settings: WhatsAppSandboxSettings,
        herald: Herald,
        postman: Postman,
        switches: Switchboard[WhatsAppFaults],
    ) -> None:
        self._settings = settings
        self._herald = herald
        self._postman = postman
        self._switches = switches

    def receive(self, profile: Profile, chat: Chat, person: Person, contents: list[Content]) -> list[Message]:
        """The client writes; a reaction that is taken back is stored and not told (§4.2)."""
        written = [self._store(profile, chat, content, person) for content in contents]
        told = [m for m in written if m.content.type != "reaction" or m.content.body]
        if told:
            self._herald.messages(profile, told)
        return written

    def send(self, profile: Profile, chat: Chat, content: Content, origin: Origin) -> Message:
        """The account writes: the echo, then the statuses (§9.4)."""
        message = profile.add(chat, content, author=profile.phone, via=origin.via)
        message.task_id, message.bot_id = origin.task_id, origin.bot_id
        end = self._end_of(message)
        message.reaches = end == "delivered"
        self._herald.messages(profile, [message])
        if content.type != "reaction":
            self._follow(profile, message, end)
        return message

    def edit(self, profile: Profile, message: Message, text: str, origin: Origin) -> Message:
        """§4.1: a message of its own that points at the old one; or, by the switch, the same one changed."""
        content = Content("chat", text, about=message.id, edit=True)
        if self._switches.now.edit_id == "new" and origin.via != "customer":
            return self.send(profile, message.chat, content, origin)
        if self._switches.now.edit_id == "new":
            edited = profile.add(message.chat, content, author=message.author, via="customer")
        else:
            message.content = replace(message.content, body=text, edit=True, about=message.id)
            edited = message
        self._herald.messages(profile, [edited])
        return edited

    def delete(self, profile: Profile, message: Message) -> None:
        """Emptied for both sides; whether the subscriber hears of it is a switch (§11.7)."""
        message.deleted = True
        message.content = Content(message.content.type, "")
        if self._switches.now.deletion_webhook:
            self._herald.messages(profile, [message])

    def call(self, profile: Profile, person: Person, kind: str) -> None:
        self._herald.call(profile, person, kind)

    def read_by_client(self, profile: Profile, chat: Chat) -> int:
        """The client reads: every own message that has arrived becomes `read`."""
        arrived = [m for m in chat.messages if m.own and m.reaches and m.content.type != "reaction"]
        fresh = [message for message in arrived if message.status not in FINAL]
        for message in fresh:
            self._step(profile, message, "read")
        return len(fresh)

    def _store(self, profile: Profile, chat: Chat, content: Content, person: Person) -> Message:
        if chat.person is None:
            content = replace(content, extra={"senderName": person.name, **content.extra})
        return profile.add(chat, content, author=digits(person.address), via="customer")

    def _end_of(self, message: Message) -> str:
        """Where the statuses stop, before anybody reads."""
        faults, number = self._switches.now, digits(message.chat.id)
        if is_never_delivered(message.chat.id):
            return "pending"
        if number in faults.not_on_whatsapp:
            return "undelivered"
        media = message.content.media
        if media is not None and media.type == "video/quicktime":
            return "pending"
        return faults.delivery_ends

    def _follow(self, profile: Profile, message: Message, end: str) -> None:
        steps = {"pending": self._settings.pending_after}
        steps[end] = steps["pending"] + (0 if end == "pending" else self._settings.delivered_after)
        if end == "delivered" and self._settings.read_after is not None:
            steps["read"] = steps[end] + self._settings.read_after
        for status, seconds in steps.items():
            self._postman.later(seconds, lambda status=status: self._step(profile, message, status))  # type: ignore[misc]

    def _step(self, profile: Profile, message: Message, status: str) -> None:
        """Never backwards, so a message that was read at once is never told as delivered."""
        known = profile.messages.get(message.id) is message
        backwards = RANKS.get(status, 4) <= RANKS.get(message.status, 4)
        if known and message.status not in FINAL and not backwards:
            message.status = status
            self._herald.status(profile, message)


def new_task_id() -> str:
    return str(uuid.uuid4())
