"""NewMessageBody (contract §3.2): what a bot wants to say, checked and turned into a message's body."""

from dataclasses import dataclass
from typing import Literal

from sandbox.max.attachments import Attachments
from sandbox.max.errors import fail, invalid
from sandbox.max.markup import marked, units
from sandbox.max.settings import MaxSandboxSettings
from sandbox.max.shop import Body, Json, Link, Message, Shop


@dataclass(frozen=True, slots=True)
class Outgoing:
    """None stands for absent or null: a new message has nothing there, an edited one keeps what it has."""

    text: tuple[str, tuple[Json, ...]] | None
    attachments: tuple[Json, ...] | None
    link: Link | None

    def over(self, old: Body) -> Body:
        text, markup = (old.text, old.markup) if self.text is None else (self.text[0] or None, self.text[1])
        return Body(text, old.attachments if self.attachments is None else self.attachments, markup)


class Reader:
    """Refuses what MAX refuses; a text is measured before its signs become markup (unknown)."""

    def __init__(self, settings: MaxSandboxSettings, shop: Shop, attachments: Attachments) -> None:
        self._settings = settings
        self._shop = shop
        self._attachments = attachments

    def new(self, body: Json) -> Outgoing:
        """A message that says something: text, attachments, or another message passed on."""
        outgoing = self.change(body)
        forwards = outgoing.link is not None and outgoing.link.type == "forward"
        if outgoing.over(Body()) == Body() and not forwards:
            invalid("Message must have text or attachments")
        return outgoing

    def change(self, body: Json) -> Outgoing:
        """What replaces a message that exists; it may not end up empty, see `over`."""
        _check_flag(body, "notify")
        attachments = body.get("attachments")
        return Outgoing(
            text=self.text(body),
            link=self._link(body.get("link")),
            attachments=None if attachments is None else self._attachments.read(attachments),
        )

    def text(self, body: Json) -> tuple[str, tuple[Json, ...]] | None:
        text, form = body.get("text"), body.get("format")
        if form not in (None, "markdown", "html"):
            invalid("format: must be markdown or html")
        if text is None:
            return None
        if not isinstance(text, str):
            invalid("text: must be a string")
        length = units(text) if self._settings.text_unit == "utf-16" else len(text)
        if length > self._settings.longest_text:
            invalid(f"text: size must be between 0 and {self._settings.longest_text}")
        return marked(text, form)

    def _link(self, link: object) -> Link | None:
        if link is None:
            return None
        if not isinstance(link, dict) or link.get("type") not in ("reply", "forward"):
            invalid("link: type must be reply or forward")
        mid = link.get("mid")
        message = self._shop.standing(mid) if isinstance(mid, str) else None
        if message is None:
            fail(404, f"Message {mid} not found")
        return Link(_kind(link), message)


def _kind(link: Json) -> Literal["reply", "forward"]:
    return "reply" if link["type"] == "reply" else "forward"


def _check_flag(body: Json, name: str) -> None:
    if not isinstance(body.get(name, True), bool | None):
        invalid(f"{name}: must be true or false")


def keyboard_in(message: Message) -> bool:
    return any(attachment["type"] == "inline_keyboard" for attachment in message.body.attachments)
