"""Instagram as a vendor of the sandbox: wiring, and the control verbs in Instagram's terms."""

from typing import Any

from starlette.routing import Route, Router
from starlette.types import ASGIApp

from sandbox.answers import refuse
from sandbox.courier import Courier
from sandbox.faults import Switchboard
from sandbox.instagram import seed
from sandbox.instagram.backstage import Backstage
from sandbox.instagram.barriers import Barriers
from sandbox.instagram.events import message_event
from sandbox.instagram.faults import InstagramFaults
from sandbox.instagram.files import Fetcher
from sandbox.instagram.gate import Edges, Gate
from sandbox.instagram.gestures import Gestures
from sandbox.instagram.letters import Writing
from sandbox.instagram.limits import Limits
from sandbox.instagram.outgoing import Drafting
from sandbox.instagram.phone import chat_summary, seen_message
from sandbox.instagram.postman import Postman
from sandbox.instagram.profiles import Profiles
from sandbox.instagram.reading import Reading
from sandbox.instagram.sending import Sending
from sandbox.instagram.settings import InstagramSandboxSettings
from sandbox.instagram.shop import Account, Chat, Message, Shop
from sandbox.instagram.tokens import Tokens
from sandbox.instagram.webhooks import Signer, Webhooks
from sandbox.timing import Timing
from sandbox.vendor import Bench, Letter

METHODS = ["GET", "POST", "DELETE", "PUT", "PATCH"]


class InstagramVendor:
    """One app with its accounts and their customers; a chat is named by the customer's IGSID."""

    name = "instagram"
    title = "Instagram"

    def __init__(self, settings: InstagramSandboxSettings, bench: Bench) -> None:
        self._settings = settings
        self._bench = bench
        self._switches = Switchboard(InstagramFaults)
        timing = Timing(lambda: bench.timing.now() + self._switches.now.clock_ahead, bench.timing.sleep)
        self._timing = timing
        main = Account(
            settings.user_id, settings.scoped_id, settings.page_id, settings.username, settings.name
        )
        self._shop = Shop(main, timing.now, self._announce)
        signer = Signer(settings.signing_secret, self._switches)
        self._postman = Postman(
            bench.http,
            timing,
            settings.policy,
            lambda: self._switches.now,
            life=settings.webhook_life,
            sign=signer.headers,
        )
        self.courier: Courier = self._postman
        self._limits = Limits(settings, timing.now)
        self._tokens = Tokens(settings, self._shop, self._switches, timing.now)
        self._webhooks = Webhooks(
            settings,
            postman=self._postman,
            signer=signer,
            switches=self._switches,
            limits=self._limits,
            timing=timing,
        )
        self._writing = Writing(settings, bench.shelf)
        self._gestures = Gestures(self._shop, self._webhooks, self._switches)
        self._meet_customers()

    def api(self) -> ASGIApp:
        gate = Gate(
            self._settings,
            tokens=self._tokens,
            limits=self._limits,
            switches=self._switches,
            timing=self._timing,
            edges=self._edges(),
        )
        backstage = Backstage(
            self._settings,
            shop=self._shop,
            webhooks=self._webhooks,
            postman=self._postman,
            tokens=self._tokens,
            gate=gate,
        )
        routes = [
            *backstage.routes(self._owner_writes),
            Route("/{path:path}", gate.__call__, methods=METHODS),
        ]
        return Router(routes, redirect_slashes=False)

    def _edges(self) -> Edges:
        settings, shop, shelf = self._settings, self._shop, self._bench.shelf
        sending = Sending(
            settings,
            shop=shop,
            drafting=Drafting(settings, shop, Fetcher(settings, self._bench.http), shelf),
            barriers=Barriers(settings, shop, self._switches),
            limits=self._limits,
            switches=self._switches,
        )
        reading = Reading(
            settings,
            shop=shop,
            profiles=Profiles(settings, shop, shelf, self._limits),
            limits=self._limits,
            switches=self._switches,
        )
        return {**reading.edges(), **sending.edges(), **self._webhooks.edges()}

    def topics(self) -> list[dict[str, Any]]:
        """Several accounts can be chosen between; one needs no choice."""
        accounts = list(self._shop.accounts.values())
        shown = [{"id": int(a.user_id), "title": a.name, "note": f"@{a.username}"} for a in accounts]
        return shown if len(shown) > 1 else []

    def customers(self) -> list[dict[str, Any]]:
        return [
            {
                "customer": chat.person.named,
                "id": chat.id,
                "blocked": chat.person.blocked,
                "chats": [chat_summary(chat)] if chat.messages else [],
            }
            for chat in self._shop.chats.values()
        ]

    def meet(self, customer: str) -> dict[str, Any]:
        person = self._shop.chat(self._shop.main, customer).person
        return {"customer": person.named, "id": person.id}

    def write(self, customer: str, letter: Letter) -> dict[str, Any]:
        """A message per part, or a gesture; `ad` names the account where there are several."""
        chat = self._chat_for(customer, letter)
        kinds = self._writing.kinds | self._gestures.kinds
        if letter.type and letter.type not in kinds:
            refuse(422, f"unknown type; Instagram has {', '.join(sorted(kinds))}")
        if letter.quote and all(message.id != letter.quote for message in chat.alive()):
            refuse(404, "quote: there is no such message")
        if letter.type in self._gestures.kinds:
            ids = self._gestures.do(chat, letter)
        else:
            parts = self._writing.parts(letter)
            ids = [self._shop.post(chat, kind, content, via="customer").id for kind, content in parts]
        return {"customer_id": chat.id, "chat_id": chat.id, "message_ids": ids}

    def seen_by(self, customer: str, chat: str | None) -> list[dict[str, Any]]:
        chats = [(c, c.alive()) for c in self._chats_of(customer, chat)]
        found = [(c, m, m is alive[-1]) for c, alive in chats for m in alive]
        in_order = sorted(found, key=lambda one: one[1].number)
        return [seen_message(c, m, newest=newest) for c, m, newest in in_order]

    def read(self, customer: str, chat: str | None) -> int:
        return sum(len(self._gestures.read(found)) for found in self._chats_of(customer, chat))

    def operator_writes(self, chat: str, text: str) -> dict[str, Any]:
        return self._owner_writes(chat, Letter(text=text))

    def delete(self, message_id: str) -> None:
        message = self._shop.messages.get(message_id)
        if message is None:
            refuse(404, "there is no such message")
        if message.own:
            refuse(409, "a customer can delete only messages of their own")
        self._gestures.unsend(message)

    def faults(self) -> dict[str, Any]:
        return self._switches.now.model_dump()

    def set_faults(self, given: dict[str, Any]) -> None:
        self._switches.set(given)

    def reset_faults(self) -> None:
        self._switches.reset()

    def reset(self, *, everything: bool) -> None:
        self.reset_faults()
        self.courier.forget()
        self._limits.forget()
        self._shop.forget()
        if everything:
            self._shop.forget_everybody()
            self._tokens.forget()
            self._webhooks.forget()
            self._meet_customers()

    def _meet_customers(self) -> None:
        for name in seed.CUSTOMERS:
            self._shop.chat(self._shop.main, name)

    def _announce(self, chat: Chat, message: Message) -> None:
        self._webhooks.announce(chat, message_event(chat, message, echo_field=self._webhooks.echo_field))

    def _owner_writes(self, chat: str, letter: Letter) -> dict[str, Any]:
        """From the app: only the echo tells; the window is for the API and does not bind the owner."""
        found = self._shop.chats.get(chat)
        if found is None:
            refuse(404, "there is no such chat")
        if letter.type and letter.type not in self._writing.kinds:
            refuse(422, f"unknown type; the owner has {', '.join(sorted(self._writing.kinds))}")
        parts = self._writing.parts(letter)
        ids = [self._shop.post(found, kind, content, via="operator").id for kind, content in parts]
        return {"chat_id": chat, "message_ids": ids}

    def _chat_for(self, customer: str, letter: Letter) -> Chat:
        account = self._shop.main
        if letter.ad is not None:
            chosen = self._shop.accounts.get(str(letter.ad))
            if chosen is None:
                refuse(404, "there is no such account")
            account = chosen
        if letter.chat is not None:
            chat = self._shop.chats.get(letter.chat)
            if chat is None or customer not in {chat.person.named, chat.id, chat.person.username}:
                refuse(404, "this customer has no such chat")
            return chat
        return self._shop.chat(account, customer)

    def _chats_of(self, customer: str, chat: str | None) -> list[Chat]:
        found = (self._shop.find(account, customer) for account in self._shop.accounts.values())
        return [c for c in found if c is not None and chat in {None, c.id}]
