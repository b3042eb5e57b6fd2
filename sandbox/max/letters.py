"""What a customer writes, as MAX messages: a caption stands with its pictures, voice stands alone."""

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict

from sandbox.answers import parse, refuse
from sandbox.faults import Switchboard
from sandbox.max.events import Events
from sandbox.max.faults import MaxFaults
from sandbox.max.samples import Samples
from sandbox.max.shop import Body, Chat, Json, Link, Message, Person, Shop
from sandbox.vendor import Letter, picture_of, voice_of

ALIASES = {"photo": "image", "voice": "audio", "document": "file", "quote": "reply"}
WRITTEN = {"text", "reply", "forward"}


class Words(BaseModel):
    """Content of the type text: words with the marks of contract §3.1."""

    model_config = ConfigDict(extra="forbid")
    text: str | None = None
    markup: list[dict[str, Any]] = []


@dataclass(frozen=True, slots=True)
class Letters:
    """Turns letters into messages of a chat and announces them."""

    shop: Shop
    samples: Samples
    events: Events
    switches: Switchboard[MaxFaults]

    @property
    def types(self) -> set[str]:
        return WRITTEN | self.samples.types | set(ALIASES)

    def write(self, chat: Chat, person: Person, letter: Letter) -> list[Message]:
        link = self._link(chat, letter)
        bodies = self._bodies(person, letter)
        if link and link.type == "forward" and not bodies:
            bodies = [Body()]
        if not bodies:
            refuse(422, "the message says nothing")
        return [self.say(chat, person, body, link=link) for body in bodies]

    def say(
        self, chat: Chat, person: Person, body: Body, *, via: str = "customer", link: Link | None = None
    ) -> Message:
        message = self.shop.post(chat, person, body, via=via, link=link)
        voice = any(attachment.get("type") == "audio" for attachment in body.attachments)
        message.lost = voice and self.switches.now.voice_without_message
        self.events.created(message)
        return message

    def _bodies(self, person: Person, letter: Letter) -> list[Body]:
        kind, given = ALIASES.get(letter.type or "", letter.type), letter.content or {}
        words: Words = parse(Words, given if kind in WRITTEN else {})
        text = letter.text or words.text or ("Здравствуйте!" if kind in {"text", "reply"} else None)
        attached = self.samples.make(kind, person, given) if kind and kind not in WRITTEN else []
        if letter.image:
            attached = [self.samples.shown("image", picture_of(letter.image), "photo.png"), *attached]
        voices = [one for one in attached if one.get("type") == "audio"]
        if letter.voice:
            voices.append(self.samples.shown("audio", voice_of(letter.voice), "voice.mp4"))
        seen = tuple(one for one in attached if one.get("type") != "audio")
        first = Body(text, seen, tuple(words.markup))
        return ([first] if text or seen else []) + [Body(attachments=(voice,)) for voice in voices]

    def _link(self, chat: Chat, letter: Letter) -> Link | None:
        kind = ALIASES.get(letter.type or "", letter.type)
        if letter.quote:
            quoted = self.shop.standing(letter.quote)
            if quoted is None:
                refuse(404, "quote: there is no such message")
            return Link("forward" if kind == "forward" else "reply", quoted)
        if kind == "forward":
            return Link("forward", self._from_elsewhere())
        return Link("reply", self._last_of_the_bot(chat)) if kind == "reply" else None

    def _last_of_the_bot(self, chat: Chat) -> Message:
        own = [message for message in self.shop.shown_in(chat) if message.author == self.shop.bot]
        if not own:
            refuse(409, "the bot has not written in this chat: give a quote")
        return own[-1]

    def _from_elsewhere(self) -> Message:
        """A message of a chat that the bot does not know."""
        moment = self.shop.now() - 60_000
        author, seq = Person(50_999_999, "Виктор"), moment << 16
        mid = f"mid.{0x5A5A5A5A:016x}{seq:016x}"
        body = Body("Отнеси телефон туда, мне там чинили")
        return Message(mid, seq, 0x5A5A5A5A, author, moment, body, "customer")


def raw(content: Json | None) -> Json:
    """A raw update or attachment must be given."""
    if not content:
        refuse(422, "content: give the object to deliver")
    return content
