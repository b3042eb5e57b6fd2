"""A customer presses a button (contract §3.2, §7)."""

from pydantic import BaseModel, ConfigDict

from sandbox.answers import parse, refuse
from sandbox.max.callbacks import Callbacks
from sandbox.max.events import Events
from sandbox.max.keyboards import buttons_of
from sandbox.max.letters import Letters
from sandbox.max.shop import Body, Chat, Json, Message, Person, Shop
from sandbox.vendor import Letter

ASKED = {"request_contact": "contact", "request_geo_location": "location"}


class Press(BaseModel):
    """The message (the last one with buttons), and the words or the payload of the button (the first)."""

    model_config = ConfigDict(extra="forbid")
    message: str | None = None
    button: str | None = None
    payload: str | None = None


class Pressing:
    """Callback buttons tell the bot; some make the customer say something; the others stay on the phone."""

    def __init__(self, shop: Shop, events: Events, letters: Letters, callbacks: Callbacks) -> None:
        self._shop = shop
        self._events = events
        self._letters = letters
        self._callbacks = callbacks

    def press(self, chat: Chat, person: Person, letter: Letter) -> list[Message]:
        given: Press = parse(Press, letter.content or {})
        message = self._message(chat, given.message or letter.quote)
        button = _button(message, given)
        kind = button["type"]
        if kind == "callback":
            callback_id = self._events.pressed(message, person, button.get("payload"))
            self._callbacks.remember(callback_id, message)
            return [message]
        if kind == "message":
            return [self._letters.say(chat, person, Body(button["text"]))]
        if kind in ASKED:
            attached = tuple(self._letters.samples.make(ASKED[kind], person, {}))
            return [self._letters.say(chat, person, Body(attachments=attached))]
        return [message]

    def _message(self, chat: Chat, mid: str | None) -> Message:
        known = [m for m in chat.messages if (m.mid == mid if mid else buttons_of(m))]
        if not known:
            refuse(404, "there is no such message with buttons in this chat")
        return known[-1]


def _button(message: Message, given: Press) -> Json:
    """On a message that is deleted meanwhile any payload may still be pressed."""
    if message.deleted:
        return {"type": "callback", "payload": given.payload}
    fitting = [
        button
        for button in buttons_of(message)
        if given.button in (None, button["text"]) and given.payload in (None, button.get("payload"))
    ]
    if not fitting:
        refuse(404, "the message has no such button")
    return fitting[0]
