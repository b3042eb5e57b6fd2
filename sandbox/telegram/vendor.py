"""Telegram as a vendor of the sandbox: wiring, and the control verbs in Telegram's terms."""

from typing import Any

from starlette.routing import Route, Router
from starlette.types import ASGIApp

from sandbox.answers import refuse
from sandbox.courier import Courier
from sandbox.faults import Switchboard
from sandbox.telegram import seed
from sandbox.telegram.account import Account
from sandbox.telegram.attachments import Attachments
from sandbox.telegram.changing import Changing
from sandbox.telegram.courier import Deliveries
from sandbox.telegram.deeds import Deeds
from sandbox.telegram.errors import no_such_path
from sandbox.telegram.faults import TelegramFaults
from sandbox.telegram.files import Files
from sandbox.telegram.gate import Gate, Method
from sandbox.telegram.letters import Letters
from sandbox.telegram.limits import Limits
from sandbox.telegram.media_sending import MediaSending
from sandbox.telegram.notices import Notices
from sandbox.telegram.outgoing import Outgoing
from sandbox.telegram.phone import chat_summary, seen_message
from sandbox.telegram.polling import Polling
from sandbox.telegram.sending import Sending
from sandbox.telegram.settings import TelegramSandboxSettings
from sandbox.telegram.shop import Chat, Person, Shop
from sandbox.telegram.updates import Updates
from sandbox.telegram.uploads import Uploads
from sandbox.telegram.webhooks import Webhooks, obey
from sandbox.telegram.wording import Wording
from sandbox.timing import Timing
from sandbox.vendor import Bench, Letter

VERBS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


class TelegramVendor:
    """One bot with its customers, its owner's business connection and one group."""

    name = "telegram"
    title = "Telegram"

    def __init__(self, settings: TelegramSandboxSettings, bench: Bench) -> None:
        self._switches = Switchboard(TelegramFaults)
        self._timing = timing = Timing(
            lambda: bench.timing.now() + self._switches.now.clock_ahead, bench.timing.sleep
        )
        bot, connection = seed.bot(settings), seed.connection(timing.now())
        self._updates = Updates(timing.now, settings.first_update_id)
        self._notices = Notices(settings, self._updates, timing.now, bot=bot, connection=connection)
        self._shop = Shop(bot, connection, timing.now, self._notices.message)
        self._files = Files(bench.shelf, timing.now, settings.file_link_life)
        self._limits = Limits(settings, timing.now)
        attachments = Attachments(self._files)
        self._letters = Letters(self._shop, attachments)
        self._deeds = Deeds(self._shop, self._letters, self._notices)
        self._deliveries = Deliveries(bench.http, timing, self._switches, settings, self._updates)
        self.courier: Courier = self._deliveries
        self._webhooks = Webhooks(settings, timing, self._updates, self._deliveries)
        uploads = Uploads(
            attachments, bench.http, self._switches, strict_documents=settings.strict_url_documents
        )
        self._gate = Gate(settings, self._switches, timing, self._methods(settings, uploads))
        self._deliveries.replies = lambda answer: obey(self._gate, answer)
        self._meet_customers()

    def api(self) -> ASGIApp:
        return Router(
            [
                Route("/bot{token}/{method:path}", self._gate.call, methods=VERBS),
                Route("/file/bot{token}/{path:path}", self._gate.file_route(self._files)),
            ],
            redirect_slashes=False,
            default=no_such_path,
        )

    def topics(self) -> list[dict[str, Any]]:
        """The bot, the owner's account behind a business connection, a group."""
        return list(seed.TOPICS)

    def customers(self) -> list[dict[str, Any]]:
        return [
            {
                "customer": name,
                "id": str(person.id),
                "blocked": any(
                    c.status == "kicked" and c.person is person for c in self._shop.chats_of(person)
                ),
                "chats": [chat_summary(chat) for chat in self._shop.chats_of(person)],
            }
            for name, person in self._shop.people.items()
        ]

    def meet(self, customer: str) -> dict[str, Any]:
        person = self._shop.person(customer)
        return {"customer": self._shop.name_of(person), "id": str(person.id)}

    def write(self, customer: str, letter: Letter) -> dict[str, Any]:
        """Messages or a deed; the types `owner` and `away` are written by the account's owner."""
        person = self._shop.person(customer)
        chat = self._chat_for(person, letter)
        if deed := self._deeds.known.get(letter.type or ""):
            return _written(person, chat, deed(letter, chat, person))
        if letter.type in {"owner", "away"}:
            return _written(person, chat, self._by_owner(chat, letter))
        if chat.status == "kicked" or person.deactivated:
            refuse(409, "this customer has blocked the bot, or is gone: nothing was written")
        via = "telegram" if letter.type == "group_chat_created" else "customer"
        posted = [
            self._shop.post(chat, person, draft, via=via)
            for draft in self._letters.drafts(letter, chat, person)
        ]
        return _written(person, chat, [message.key for message in posted])

    def seen_by(self, customer: str, chat: str | None) -> list[dict[str, Any]]:
        messages = [m for c in self._chats_seen_by(customer, chat) for m in c.messages]
        return [
            seen_message(self._shop, self._files, message)
            for message in sorted(messages, key=lambda message: message.number)
        ]

    def read(self, customer: str, chat: str | None) -> int:
        """Telegram tells bots nothing of it."""
        return sum(self._shop.read_by_person(c) for c in self._chats_seen_by(customer, chat) if c.person)

    def operator_writes(self, chat: str, text: str) -> dict[str, Any]:
        """The owner types in a business chat or in the group; behind a bot there is nobody to type."""
        found = self._known_chat(chat)
        if not (found.connection or found.is_group):
            refuse(409, "in a bot's chat only the bot writes: use a business chat or the group")
        return {"chat_id": found.key, "message_ids": self._by_owner(found, Letter(text=text))}

    def delete(self, message_id: str) -> None:
        message = self._shop.messages.get(message_id)
        if message is None:
            refuse(404, "there is no such message")
        if message.via != "customer":
            refuse(409, "a customer can delete only messages of their own")
        self._deeds.delete(message)

    def faults(self) -> dict[str, Any]:
        return self._switches.now.model_dump()

    def set_faults(self, given: dict[str, Any]) -> None:
        """`unsubscribed` removes the webhook that is set, once."""
        self._switches.set(given)
        if self._switches.now.unsubscribed:
            self._switches.now.unsubscribed = False
            self._webhooks.forget()
        self._deliveries.look_again()

    def reset_faults(self) -> None:
        self._switches.reset()
        self._deliveries.look_again()

    def reset(self, *, everything: bool) -> None:
        self.reset_faults()
        self.courier.forget()
        self._shop.forget()
        self._files.forget()
        self._limits.forget()
        self._updates.drop()
        if everything:
            self._updates.forget()
            self._webhooks.forget()
            self._shop.people.clear()
            self._meet_customers()

    def _methods(self, settings: TelegramSandboxSettings, uploads: Uploads) -> dict[str, Method]:
        wording = Wording(settings.text_unit)
        outgoing = Outgoing(
            self._shop, self._limits, self._switches, never_started=settings.never_started_status
        )
        changing = Changing(self._shop, outgoing, wording, answer_within=settings.callback_answer_within)
        return {
            **Account(self._shop, self._files, outgoing).methods(),
            **self._webhooks.methods(),
            **Polling(self._timing, self._updates, self._deliveries).methods(),
            **Sending(outgoing, wording).methods(),
            **MediaSending(outgoing, uploads, wording).methods(),
            **changing.methods(),
        }

    def _meet_customers(self) -> None:
        for name in seed.CUSTOMERS:
            self._shop.person(name)

    def _by_owner(self, chat: Chat, letter: Letter) -> list[str]:
        """`away` marks what Telegram sends for an absent owner."""
        if not (chat.connection or chat.is_group):
            refuse(409, "the owner writes in a business chat or in the group")
        owner, bare = self._shop.connection.owner, letter.model_copy(update={"type": None})
        if not (bare.text or bare.image or bare.voice):
            bare = bare.model_copy(update={"text": "Мы ответим утром." if letter.type == "away" else "Да."})
        drafts = self._letters.drafts(bare, chat, owner)
        for draft in drafts:
            draft.extras |= {"is_from_offline": True} if letter.type == "away" else {}
        return [self._shop.post(chat, owner, draft, via="operator").key for draft in drafts]

    def _known_chat(self, chat: str) -> Chat:
        if chat not in self._shop.chats:
            refuse(404, "there is no such chat")
        return self._shop.chats[chat]

    def _chat_for(self, person: Person, letter: Letter) -> Chat:
        """`chat` names one that exists, else `ad` is a topic: 1 the bot, 2 the account, 3 the group."""
        if letter.chat is not None:
            chat = self._known_chat(letter.chat)
            if chat.person not in (None, person):
                refuse(404, "this customer has no such chat")
            return chat
        topic = letter.ad or seed.BOT_TOPIC
        if topic == seed.BOT_TOPIC:
            return self._shop.bot_chat(person)
        if topic == seed.BUSINESS_TOPIC:
            return self._shop.business_chat(person)
        if topic != seed.GROUP_TOPIC:
            refuse(404, "there is no such topic: 1 is the bot, 2 the owner's account, 3 the group")
        group = self._shop.group(seed.group())
        return group if group.migrated_to is None else self._shop.chats[str(group.migrated_to)]

    def _chats_seen_by(self, customer: str, chat: str | None) -> list[Chat]:
        person = self._shop.find_person(customer)
        chats = self._shop.chats_of(person) if person else []
        return [c for c in chats if chat is None or c.key == chat]


def _written(person: Person, chat: Chat, keys: list[str]) -> dict[str, Any]:
    return {"customer_id": str(person.id), "chat_id": chat.key, "message_ids": keys}
