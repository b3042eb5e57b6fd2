"""MAX as a vendor of the sandbox: wiring, and the control verbs in MAX's terms."""

from typing import Any

from starlette.routing import Route, Router
from starlette.types import ASGIApp

from sandbox.answers import refuse
from sandbox.courier import Courier
from sandbox.faults import Switchboard
from sandbox.max import seed
from sandbox.max.account import Account
from sandbox.max.actions import Actions, check_started
from sandbox.max.attachments import Attachments
from sandbox.max.callbacks import Callbacks
from sandbox.max.chats import Chats
from sandbox.max.comments import Comments
from sandbox.max.errors import no_such_method, no_such_path
from sandbox.max.events import Events
from sandbox.max.faults import MaxFaults
from sandbox.max.files import Files
from sandbox.max.gate import Gate
from sandbox.max.letters import Letters
from sandbox.max.members import Members
from sandbox.max.outgoing import Reader
from sandbox.max.phone import chat_summary, seen_message
from sandbox.max.samples import Samples
from sandbox.max.sending import Sending
from sandbox.max.settings import MaxSandboxSettings
from sandbox.max.shop import Body, Chat, Member, Message, Person, Shop
from sandbox.max.updates import Feed
from sandbox.max.uploads import Uploads
from sandbox.max.webhooks import Subscriptions, Webhooks
from sandbox.vendor import Bench, Letter

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
OPERATOR = "Мастер"


class MaxVendor:
    """One bot with its dialogs, groups and subscriptions."""

    name = "max"
    title = "MAX"

    def __init__(self, settings: MaxSandboxSettings, bench: Bench) -> None:
        timing = bench.timing
        self._settings = settings
        self._timing = timing
        self._switches = Switchboard(MaxFaults)
        self._shop = Shop(seed.bot(settings), timing.now)
        self._files = Files(bench.shelf, timing.now, f"/{self.name}")
        self._uploads = Uploads(settings, self._files)
        self._subscriptions = Subscriptions(settings, timing.now)
        self.courier = Courier(
            bench.http, timing, settings.policy, lambda: self._switches.now, self._subscriptions
        )
        webhooks = Webhooks(self.courier, self._subscriptions, self._switches)
        self._feed = Feed(settings, timing, webhooks)
        self._events = Events(self._shop, self._feed, self._switches)
        attachments = Attachments(settings, self._files, self._uploads, self._switches)
        self._reader = Reader(settings, self._shop, attachments)
        self._callbacks = Callbacks(self._shop, self._reader)
        self._account = Account(self._shop)
        samples = Samples(self._shop, self._files, settings.token.get_secret_value())
        self._letters = Letters(self._shop, samples, self._events, self._switches)
        self._actions = Actions(self._shop, self._events, self._letters, self._callbacks)
        self._meet_customers()

    def api(self) -> ASGIApp:
        """Known paths with other methods are 405, unknown paths 404, both before the token is asked for."""
        gate, shop, switches = Gate(self._settings, self._switches, self._timing), self._shop, self._switches
        routes = [
            *self._account.routes(gate),
            *Members(shop, self._events, switches).routes(gate),
            *Chats(self._settings, shop, self._events, switches).routes(gate),
            *Sending(self._settings, shop, self._reader, self._events, switches).routes(gate),
            *Comments(shop, self._reader, switches).routes(gate),
            *self._callbacks.routes(gate),
            *self._subscriptions.routes(gate),
            *self._feed.routes(gate),
            *self._uploads.routes(gate),
            *self._files.routes(),
        ]
        known = dict.fromkeys(route.path for route in routes)
        others = [Route(path, no_such_method, methods=METHODS) for path in known]
        return Router([*routes, *others], redirect_slashes=False, default=no_such_path)

    def topics(self) -> list[dict[str, Any]]:
        return []

    def customers(self) -> list[dict[str, Any]]:
        """`blocked`: the customer has stopped the bot."""
        return [
            {
                "customer": person.name,
                "id": str(person.id),
                "blocked": any(chat.stopped for chat in self._shop.chats_of(person)),
                "chats": [chat_summary(chat, self._shop.now()) for chat in self._shop.chats_of(person)],
            }
            for person in self._shop.people.values()
        ]

    def meet(self, customer: str) -> dict[str, Any]:
        person = self._shop.person(customer)
        return {"customer": person.name, "id": str(person.id)}

    def write(self, customer: str, letter: Letter) -> dict[str, Any]:
        """Words and attachments, or one of the acts; MAX has no reactions and no read receipts for bots."""
        self._check_known(letter.type)
        person = self._shop.person(customer)
        if letter.type == "bot_added":
            return _written(self._actions.open_group(person, letter), [], person)
        chat = self._chat_for(person, letter)
        if letter.type in self._actions.types:
            return _written(chat, self._actions.act(chat, person, letter), person)
        check_started(chat)
        return _written(chat, self._letters.write(chat, person, letter), person)

    def seen_by(self, customer: str, chat: str | None) -> list[dict[str, Any]]:
        messages = [m for c in self._chats_seen_by(customer, chat) for m in c.messages]
        in_order = sorted(messages, key=lambda m: m.seq)
        return [seen_message(self._shop, self._files, self._callbacks, message) for message in in_order]

    def read(self, customer: str, chat: str | None) -> int:
        return sum(self._shop.mark_read(c, by_bot=False) for c in self._chats_seen_by(customer, chat))

    def operator_writes(self, chat: str, text: str) -> dict[str, Any]:
        """A colleague in a group; a bot's dialog has nobody else to write in it."""
        found = self._known_chat(chat)
        if found.person:
            refuse(409, "in a dialog with a bot nobody but the bot can answer; use a group (type bot_added)")
        person = self._shop.person(OPERATOR)
        return _written(found, [self._letters.say(found, person, Body(text), via="operator")])

    def delete(self, message_id: str) -> None:
        message = self._shop.messages.get(message_id)
        if message is None or message.author is None:
            refuse(404, "there is no such message")
        if message.via != "customer":
            refuse(409, "a customer can delete only messages of their own")
        if not message.deleted:
            self._actions.delete(message, message.author)

    def faults(self) -> dict[str, Any]:
        return self._switches.now.model_dump()

    def set_faults(self, given: dict[str, Any]) -> None:
        """`unsubscribed` happens once."""
        self._switches.set(given)
        if self._switches.now.unsubscribed:
            self._subscriptions.forget()
            self._switches.now.unsubscribed = False

    def reset_faults(self) -> None:
        self._switches.reset()

    def reset(self, *, everything: bool) -> None:
        self.reset_faults()
        self.courier.forget()
        self._shop.forget()
        self._feed.forget()
        self._callbacks.forget()
        if everything:
            self._subscriptions.forget()
            self._uploads.forget()
            self._files.forget()
            self._account.forget()
            self._shop.people.clear()
            self._meet_customers()

    def _meet_customers(self) -> None:
        for name in seed.CUSTOMERS:
            self._shop.person(name)

    def _check_known(self, kind: str | None) -> None:
        known = self._letters.types | self._actions.types
        if kind is not None and kind not in known:
            refuse(422, f"unknown type; MAX has {', '.join(sorted(known))}")

    def _known_chat(self, chat: str) -> Chat:
        number = int(chat) if chat.removeprefix("-").isdecimal() and len(chat) <= 20 else 0
        if number not in self._shop.chats:
            refuse(404, "there is no such chat")
        return self._shop.chats[number]

    def _chat_for(self, person: Person, letter: Letter) -> Chat:
        """The dialog, or the group named, which the customer joins by writing."""
        if letter.chat is None:
            return self._shop.dialog(person)
        chat = self._known_chat(letter.chat)
        if chat.person and chat.person != person:
            refuse(404, "this customer has no such chat")
        if not chat.person:
            chat.members.setdefault(person.id, Member(person, self._shop.now()))
        return chat

    def _chats_seen_by(self, customer: str, chat: str | None) -> list[Chat]:
        person = self._shop.find_person(customer)
        chats = self._shop.chats_of(person) if person else []
        return [c for c in chats if chat is None or str(c.id) == chat]


def _written(chat: Chat, messages: list[Message], person: Person | None = None) -> dict[str, Any]:
    shown = {"chat_id": str(chat.id), "message_ids": [message.mid for message in messages]}
    return {"customer_id": str(person.id), **shown} if person else shown
