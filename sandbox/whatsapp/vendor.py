"""WhatsApp through Wappi as a vendor of the sandbox: wiring, and the control verbs in WhatsApp's terms."""

from typing import Any

from starlette.routing import Router
from starlette.types import ASGIApp

from sandbox.answers import refuse
from sandbox.courier import Courier, Policy
from sandbox.faults import Switchboard
from sandbox.vendor import Bench, Letter
from sandbox.whatsapp.account import Account
from sandbox.whatsapp.addresses import canonical, is_group
from sandbox.whatsapp.changing import Changing
from sandbox.whatsapp.chats import Chats
from sandbox.whatsapp.contacts import Contacts
from sandbox.whatsapp.drafts import Drafts
from sandbox.whatsapp.errors import no_such_path
from sandbox.whatsapp.exchange import Exchange, Origin, new_task_id
from sandbox.whatsapp.faults import WhatsAppFaults
from sandbox.whatsapp.fetching import Fetcher
from sandbox.whatsapp.gate import Gate
from sandbox.whatsapp.herald import Herald
from sandbox.whatsapp.letters import contents_of, hand_of, kind_of
from sandbox.whatsapp.links import Links
from sandbox.whatsapp.messages import Reading
from sandbox.whatsapp.payloads import text_content
from sandbox.whatsapp.phone import chat_summary, is_in, seen_messages
from sandbox.whatsapp.postman import Patience, Postman
from sandbox.whatsapp.profile import Chat, Message, Person, Profile
from sandbox.whatsapp.samples import CALLS, POINTING
from sandbox.whatsapp.sending import Outbox, Sending
from sandbox.whatsapp.sessions import Sessions
from sandbox.whatsapp.settings import WhatsAppSandboxSettings
from sandbox.whatsapp.states import apply_states
from sandbox.whatsapp.webhooks import Webhooks


class WhatsAppVendor:
    """One Wappi account: profiles, the people they talk with, one webhook per profile."""

    name = "whatsapp"
    title = "WhatsApp"

    def __init__(self, settings: WhatsAppSandboxSettings, bench: Bench) -> None:
        self._settings = settings
        self._timing = bench.timing
        self._switches = Switchboard(WhatsAppFaults)
        self._switches.set(settings.switches)
        policy = Policy(settings.webhook_timeout, settings.webhook_retries, settings.keeps_order)
        self._account = Account(settings, bench.timing.now)
        patience = Patience(settings.hook_off_after, self._account.unhook)
        self._postman = Postman(bench, policy, lambda: self._switches.now, patience)
        self.courier: Courier = self._postman
        self._links = Links(bench.shelf, bench.timing.now, settings.file_link_lives)
        self._herald = Herald(self.courier, self._switches, self._links)
        self._exchange = Exchange(settings, self._herald, self._postman, self._switches)
        self._outbox = Outbox(self._account, self._exchange, self._postman)
        fetcher = Fetcher(bench.http, settings.file_limit)
        self._drafts = Drafts(settings, self._account, self._switches, fetcher)
        apply_states(self._account, self._herald, self._switches.now)

    def api(self) -> ASGIApp:
        account, switches, settings = self._account, self._switches, self._settings
        token = settings.token.get_secret_value()
        gate = Gate(account=account, token=token, switches=switches, timing=self._timing)
        return Router(
            [
                *Sessions(account, self._herald, self._postman, settings.restart_takes).routes(gate),
                *Sending(self._drafts, self._outbox, switches, self._timing).routes(gate),
                *Changing(self._exchange, self._drafts, self._timing.now).routes(gate),
                *Chats(account, switches, settings.chats_limit).routes(gate),
                *Reading(settings, switches, self._links, self._timing).routes(gate),
                *Contacts(account, switches).routes(gate),
                *Webhooks(switches).routes(gate),
            ],
            redirect_slashes=False,
            default=no_such_path,
        )

    def topics(self) -> list[dict[str, Any]]:
        """The numbers to write to, when the account has several."""
        numbers = [profile for profile in self._account.profiles.values() if profile.phone]
        if len(numbers) < 2:
            return []
        return [{"id": int(one.phone), "title": one.name, "note": f"+{one.phone}"} for one in numbers]

    def customers(self) -> list[dict[str, Any]]:
        return [
            {
                "customer": person.name,
                "id": person.phone,
                "blocked": False,
                "chats": [chat_summary(self._account, *found) for found in self._chats_of(person)],
            }
            for person in self._account.people.values()
        ]

    def meet(self, customer: str) -> dict[str, Any]:
        person = self._account.person(customer)
        return {"customer": person.name, "id": person.phone}

    def write(self, customer: str, letter: Letter) -> dict[str, Any]:
        """Messages, an edit or a call; `content.by` lets the shop's people write instead (see letters)."""
        kind, hand = kind_of(letter), hand_of(letter)
        person = self._account.person(customer)
        profile, chat = self._place_of(person, letter)
        if kind in CALLS:
            self._exchange.call(profile, person, kind)
            return _written(self._account, profile, chat, person, [])
        target = self._target_of(profile, chat, letter, kind)
        if kind == "edit":
            return self._edit(profile, person, letter, target)
        contents = contents_of(letter, kind, target)
        if hand == "customer":
            written = self._exchange.receive(profile, chat, person, contents)
        else:
            origin = _origin(hand)
            written = [self._exchange.send(profile, chat, content, origin) for content in contents]
        return _written(self._account, profile, chat, person, written)

    def seen_by(self, customer: str, chat: str | None) -> list[dict[str, Any]]:
        shown = [
            message
            for profile, found in self._chats_seen_by(customer, chat)
            for message in seen_messages(self._account, profile, found, self._links)
        ]
        return sorted(shown, key=lambda message: message["created"])

    def read(self, customer: str, chat: str | None) -> int:
        return sum(self._exchange.read_by_client(*found) for found in self._chats_seen_by(customer, chat))

    def operator_writes(self, chat: str, text: str) -> dict[str, Any]:
        """On the phone or in WhatsApp Web; also to a number that has not written yet."""
        profile, found = self._account.find_chat(chat) or self._new_chat(chat)
        sent = self._exchange.send(profile, found, text_content(text), Origin("operator"))
        return {"chat_id": self._account.key_of(profile, found), "message_ids": [sent.id]}

    def delete(self, message_id: str) -> None:
        for profile in self._account.profiles.values():
            if message := profile.messages.get(message_id):
                if message.own:
                    refuse(409, "a customer can delete only messages of their own")
                if not message.deleted:
                    self._exchange.delete(profile, message)
                return
        refuse(404, "there is no such message")

    def faults(self) -> dict[str, Any]:
        return self._switches.now.model_dump()

    def set_faults(self, given: dict[str, Any]) -> None:
        """Session switches change the profiles at once."""
        self._switches.set(given)
        apply_states(self._account, self._herald, self._switches.now, given)

    def reset_faults(self) -> None:
        self._switches.reset()
        self._switches.set(self._settings.switches)
        apply_states(self._account, self._herald, self._switches.now)

    def reset(self, *, everything: bool) -> None:
        self.reset_faults()
        self.courier.forget()
        self._outbox.forget()
        self._links.forget()
        for profile in self._account.profiles.values():
            profile.forget()
        if everything:
            self._account.forget()
            apply_states(self._account, self._herald, self._switches.now)

    def _edit(self, profile: Profile, person: Person, letter: Letter, target: str) -> dict[str, Any]:
        message, hand = profile.messages[target], hand_of(letter)
        [content] = contents_of(letter, "edit", target)
        if message.content.type != "chat" or (hand == "customer") == message.own:
            refuse(409, "only texts of one's own can be edited")
        origin = Origin("customer") if hand == "customer" else _origin(hand)
        edited = self._exchange.edit(profile, message, content.body or "", origin)
        return _written(self._account, profile, message.chat, person, [edited])

    def _target_of(self, profile: Profile, chat: Chat, letter: Letter, kind: str) -> str:
        """The message that is quoted, reacted to, voted in or edited; the latest that fits by default."""
        if given := str(letter.quote or (letter.content or {}).get("stanza_id") or ""):
            if given not in profile.messages:
                refuse(404, "quote: there is no such message")
            return given
        if kind not in POINTING:
            return ""
        by_customer = hand_of(letter) == "customer"
        wanted_own = by_customer != (kind == "edit")
        fitting = [m for m in chat.messages if m.own == wanted_own and not m.deleted and _can_be_meant(m)]
        if not fitting:
            refuse(409, f"quote: there is no message for this {kind}")
        return fitting[-1].id

    def _profile_of(self, letter: Letter) -> Profile:
        for profile in self._account.profiles.values():
            if letter.ad is None or str(letter.ad) == profile.phone:
                return profile
        return refuse(404, "the account has no profile with this phone")

    def _place_of(self, person: Person, letter: Letter) -> tuple[Profile, Chat]:
        if letter.chat is None:
            profile = self._profile_of(letter)
            return profile, self._account.chat_with(profile, person.address)
        profile, chat = self._account.find_chat(letter.chat) or self._group(letter.chat)
        if chat.person is not None and chat.person.phone != person.phone:
            refuse(404, "this customer has no such chat")
        return profile, chat

    def _group(self, key: str) -> tuple[Profile, Chat]:
        """Groups are opened by naming them; other chats must be there."""
        profile_id, _, group = key.rpartition(":")
        profile = self._account.profiles.get(profile_id) if profile_id else self._any_profile()
        if profile is None or not is_group(group):
            refuse(404, "there is no such chat")
        return profile, self._account.chat_with(profile, group)

    def _new_chat(self, written: str) -> tuple[Profile, Chat]:
        chat_id = canonical(written)
        if chat_id is None:
            refuse(404, "there is no such chat")
        profile = self._any_profile()
        return profile, self._account.chat_with(profile, chat_id)

    def _any_profile(self) -> Profile:
        if not self._account.profiles:
            refuse(409, "the account has no profile")
        return self._account.first

    def _chats_of(self, person: Person) -> list[tuple[Profile, Chat]]:
        every = [(p, chat) for p in self._account.profiles.values() for chat in p.chats.values()]
        return [(profile, chat) for profile, chat in every if is_in(person, chat)]

    def _chats_seen_by(self, customer: str, chat: str | None) -> list[tuple[Profile, Chat]]:
        person = self._account.find_person(customer)
        found = self._chats_of(person) if person else []
        return [(p, c) for p, c in found if chat in {None, self._account.key_of(p, c), f"{p.id}:{c.id}"}]


def _can_be_meant(message: Message) -> bool:
    return not message.content.edit and message.content.type != "reaction"


def _origin(hand: str) -> Origin:
    return Origin("api", new_task_id()) if hand == "crm" else Origin("operator")


def _written(
    account: Account, profile: Profile, chat: Chat, person: Person, messages: list[Message]
) -> dict[str, Any]:
    key = account.key_of(profile, chat)
    return {"customer_id": person.phone, "chat_id": key, "message_ids": [message.id for message in messages]}
