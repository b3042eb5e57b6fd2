"""Avito as a vendor of the sandbox: wiring, and the control verbs in Avito's terms."""

from typing import Any

from starlette.routing import Route, Router
from starlette.types import ASGIApp

from sandbox.answers import refuse
from sandbox.avito import seed
from sandbox.avito.account import Account
from sandbox.avito.chats import Reading
from sandbox.avito.errors import no_such_path
from sandbox.avito.faults import AvitoFaults
from sandbox.avito.gate import Gate
from sandbox.avito.letters import parts_of
from sandbox.avito.phone import chat_summary, seen_message
from sandbox.avito.sending import Sending
from sandbox.avito.shop import Chat, Message, Person, Shop
from sandbox.avito.tokens import Keys, Tokens
from sandbox.avito.webhooks import Webhooks
from sandbox.courier import Courier
from sandbox.faults import Switchboard
from sandbox.settings import SandboxSettings
from sandbox.vendor import Bench, Letter


class AvitoVendor:
    """One Avito account with its ads, customers and subscriptions."""

    name = "avito"
    title = "Avito"

    def __init__(self, settings: SandboxSettings, bench: Bench) -> None:
        timing = bench.timing
        keys = Keys(
            settings.avito_client_id,
            settings.avito_client_secret.get_secret_value(),
            settings.avito_token_ttl,
        )
        self._timing = timing
        self._shelf = bench.shelf
        self._switches = Switchboard(AvitoFaults)
        self._tokens = Tokens(keys, timing.now, self._switches)
        self.courier = Courier(bench.http, timing, bench.policy, lambda: self._switches.now)
        self._webhooks = Webhooks(self.courier)
        self._shop = Shop(seed.account(settings.avito_user_id), seed.ads(), timing.now, self._announce)
        self._meet_customers()

    def api(self) -> ASGIApp:
        gate = Gate(
            account=self._shop.account.id, tokens=self._tokens, switches=self._switches, timing=self._timing
        )
        issue = gate.open(self._tokens.issue)
        return Router(
            [
                Route("/token", issue, methods=["POST"]),
                Route("/token/", issue, methods=["POST"]),
                *Account(self._shop).routes(gate),
                *Reading(self._shop, self._shelf, self._switches).routes(gate),
                *Sending(self._shop, self._shelf, self._switches).routes(gate),
                *self._webhooks.routes(gate),
            ],
            redirect_slashes=False,
            default=no_such_path,
        )

    def topics(self) -> list[dict[str, Any]]:
        return [{"id": ad.id, "title": ad.title, "note": ad.price_string} for ad in self._shop.ads.values()]

    def customers(self) -> list[dict[str, Any]]:
        return [
            {
                "customer": person.name,
                "id": str(person.id),
                "blocked": person.id in self._shop.blocked,
                "chats": [chat_summary(chat) for chat in self._shop.chats_of(person)],
            }
            for person in self._shop.people.values()
        ]

    def meet(self, customer: str) -> dict[str, Any]:
        person = self._shop.person(customer)
        return {"customer": person.name, "id": str(person.id)}

    def write(self, customer: str, letter: Letter) -> dict[str, Any]:
        """One vendor message per part, in the order text, image, voice: Avito has no captions."""
        person = self._shop.person(customer)
        if person.id in self._shop.blocked:
            refuse(409, "the shop has blocked this customer: the message was not delivered")
        if letter.quote and letter.quote not in self._shop.messages:
            refuse(404, "quote: there is no such message")
        chat = self._chat_for(person, letter)
        author = 0 if letter.type == "system" or chat.type == "a2u" else person.id
        parts = parts_of(letter, chat, self._shop, self._shelf)
        via = "customer" if author else "avito"
        written = [
            self._shop.post(chat, author, kind, content, via=via, quote=letter.quote)
            for kind, content in parts
        ]
        return {"customer_id": str(person.id), **_written(chat, written)}

    def seen_by(self, customer: str, chat: str | None) -> list[dict[str, Any]]:
        messages = [m for c in self._chats_seen_by(customer, chat) for m in c.messages]
        return [seen_message(self._shop, message) for message in sorted(messages, key=lambda m: m.number)]

    def read(self, customer: str, chat: str | None) -> int:
        return sum(self._shop.read_by_person(c) for c in self._chats_seen_by(customer, chat))

    def operator_writes(self, chat: str, text: str) -> dict[str, Any]:
        found = self._known_chat(chat)
        written = self._shop.post(found, self._shop.account.id, "text", {"text": text}, via="operator")
        return _written(found, [written])

    def delete(self, message_id: str) -> None:
        message = self._shop.messages.get(message_id)
        if message is None:
            refuse(404, "there is no such message")
        if message.via != "customer":
            refuse(409, "a customer can delete only messages of their own")
        self._shop.delete(message)

    def faults(self) -> dict[str, Any]:
        return self._switches.now.model_dump()

    def set_faults(self, given: dict[str, Any]) -> None:
        """`expired_token` also ends the tokens that are out."""
        self._switches.set(given)
        if given.get("expired_token"):
            self._tokens.expire_all()

    def reset_faults(self) -> None:
        self._switches.reset()

    def reset(self, *, everything: bool) -> None:
        self.reset_faults()
        self.courier.forget()
        self._shop.forget()
        if everything:
            self._tokens.forget()
            self._webhooks.forget()
            self._shop.people.clear()
            self._meet_customers()

    def _meet_customers(self) -> None:
        for name in seed.CUSTOMERS:
            self._shop.person(name)

    def _announce(self, chat: Chat, message: Message) -> None:
        self._webhooks.push(self._shop, chat, message)

    def _known_chat(self, chat: str) -> Chat:
        if chat not in self._shop.chats:
            refuse(404, "there is no such chat")
        return self._shop.chats[chat]

    def _chat_for(self, person: Person, letter: Letter) -> Chat:
        if letter.chat is not None:
            chat = self._known_chat(letter.chat)
            if chat.person.id != person.id:
                refuse(404, "this customer has no such chat")
            return chat
        kind = letter.chat_type or "u2i"
        if kind != "u2i":
            return self._shop.chat_about(person, None, kind)
        ad = self._shop.ads.get(letter.ad) if letter.ad is not None else next(iter(self._shop.ads.values()))
        if ad is None:
            refuse(404, "the shop has no such ad")
        return self._shop.chat_about(person, ad, kind)

    def _chats_seen_by(self, customer: str, chat: str | None) -> list[Chat]:
        person = self._shop.find_person(customer)
        chats = self._shop.chats_of(person) if person else []
        return [c for c in chats if chat is None or c.id == chat]


def _written(chat: Chat, messages: list[Message]) -> dict[str, Any]:
    return {"chat_id": chat.id, "message_ids": [message.id for message in messages]}
