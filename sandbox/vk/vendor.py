"""VK as a vendor of the sandbox: wiring, and the control verbs in VK's terms."""

from typing import Any

from starlette.routing import Route, Router
from starlette.types import ASGIApp

from sandbox.answers import refuse
from sandbox.courier import Courier, Policy
from sandbox.faults import Switchboard
from sandbox.vendor import Bench, Letter
from sandbox.vk import seed
from sandbox.vk.barriers import Barriers
from sandbox.vk.community import Community, Dialog, Draft, Event, Message, User, new_key
from sandbox.vk.deliveries import Deliveries, VkJudge
from sandbox.vk.errors import no_such_path
from sandbox.vk.execute import Execute
from sandbox.vk.faults import VkFaults
from sandbox.vk.gate import Gate
from sandbox.vk.gestures import Gestures
from sandbox.vk.letters import Letters
from sandbox.vk.longpoll import LongPoll
from sandbox.vk.marks import Marks
from sandbox.vk.media_objects import MediaObjects
from sandbox.vk.people import People
from sandbox.vk.phone import chat_summary, seen_message
from sandbox.vk.reading import Reading
from sandbox.vk.registry import Registry
from sandbox.vk.sending import Sending
from sandbox.vk.servers import Servers
from sandbox.vk.settings import VkSandboxSettings
from sandbox.vk.uploads import Uploads

SHUT_OUT = {18, 37, 900}


class VkVendor:
    """One VK community with its people, chats and callback servers."""

    name = "vk"
    title = "ВКонтакте"

    def __init__(self, settings: VkSandboxSettings, bench: Bench) -> None:
        now = bench.timing.now
        self._settings = settings
        self._shelf = bench.shelf
        self._switches = Switchboard(VkFaults)
        self._registry = Registry(rotates=settings.rotate_code)
        self.courier = Courier(
            bench.http,
            bench.timing,
            Policy(settings.webhook_timeout, settings.webhook_retries, keeps_order=False),
            lambda: self._switches.now,
            VkJudge(self._registry, now, settings.failures_allowed),
        )
        self._community = Community(settings.group_id, seed.NAME, now, self._announce)
        self._barriers = Barriers(self._community, self._switches, settings.messages_per_hour)
        self._deliveries = Deliveries(
            self._community,
            self._registry,
            self.courier,
            self._switches,
            bare_confirmation=settings.bare_confirmation,
        )
        self._long_poll = LongPoll(self._community, settings, bench.timing)
        self._gate = Gate(settings, self._switches, bench.timing)
        objects = MediaObjects(self._community, bench.shelf, settings.transcript_after)
        self._uploads = Uploads(self._community, objects, self._switches, settings.photo_fields)
        self._letters = Letters(self._community, objects)
        self._gestures = Gestures(self._community, edits_aloud=settings.customer_edits)
        self._meet_customers()

    def api(self) -> ASGIApp:
        community, switches = self._community, self._switches
        people = People(community, self._barriers, self._settings, switches, self._shelf)
        for section in (
            Sending(community, self._barriers, self._settings, switches),
            Reading(community, self._barriers),
            Marks(community),
            people,
            self._uploads,
            Servers(community, self._registry, self._deliveries, self._settings.admin_id),
            self._long_poll,
            Execute(self._gate),
        ):
            self._gate.open(section.methods())
        return Router(
            [
                Route("/method/{name}", self._gate.endpoint, methods=["GET", "POST"]),
                Route("/upload/photo", self._gate.outdoors(self._uploads.photo), methods=["POST"]),
                Route("/upload/doc", self._gate.outdoors(self._uploads.document), methods=["POST"]),
                Route(f"/longpoll/{community.id}", self._long_poll.endpoint, methods=["GET", "POST"]),
            ],
            redirect_slashes=False,
            default=no_such_path,
        )

    def topics(self) -> list[dict[str, Any]]:
        """Dialogs in VK are about nothing in particular."""
        return []

    def customers(self) -> list[dict[str, Any]]:
        return [
            {
                "customer": user.name,
                "id": str(user.id),
                "blocked": self._barriers.code(user.id) in SHUT_OUT,
                "chats": [chat_summary(self._community, dialog) for dialog in self._dialogs_of(user)],
            }
            for user in self._community.users.values()
        ]

    def meet(self, customer: str) -> dict[str, Any]:
        user = self._community.user(customer)
        return {"customer": user.name, "id": str(user.id)}

    def write(self, customer: str, letter: Letter) -> dict[str, Any]:
        """Messages for what is said, no message for a gesture such as a press or a reaction."""
        user = self._community.user(customer)
        if self._barriers.code(user.id) in SHUT_OUT:
            refuse(409, "this customer cannot write to the community: the message was not delivered")
        dialog = self._dialog_for(user, letter)
        written: list[Message] = []
        if gesture := self._gestures.find(letter.type):
            gesture(user, dialog, letter)
        else:
            written = self._post(user, dialog, letter)
        return {"customer_id": str(user.id), **_written(dialog, written)}

    def _post(self, user: User, dialog: Dialog, letter: Letter) -> list[Message]:
        answered = self._community.by_key(letter.quote) if letter.quote else None
        if letter.quote and (answered is None or answered.peer_id != dialog.peer_id):
            refuse(404, "quote: there is no such message in this chat")
        drafts = self._letters.drafts(letter, user, dialog)
        for draft in drafts[:1]:
            draft.reply_to = answered
        via = "vk" if letter.type == "service" else "customer"
        return [self._community.post(dialog, user.id, draft, via=via) for draft in drafts]

    def seen_by(self, customer: str, chat: str | None) -> list[dict[str, Any]]:
        messages = [m for d in self._dialogs_seen_by(customer, chat) for m in d.seen_by("customer")]
        return [seen_message(self._community, m) for m in sorted(messages, key=lambda m: m.id)]

    def read(self, customer: str, chat: str | None) -> int:
        user = self._community.find_user(customer)
        dialogs = self._dialogs_seen_by(customer, chat)
        return sum(self._read(user, dialog) for dialog in dialogs) if user else 0

    def _read(self, user: User, dialog: Dialog) -> int:
        """Announces `message_read` with the last message that was new."""
        fresh = [m for m in dialog.seen_by("customer") if m.out and m.cmid > dialog.out_read]
        if fresh:
            dialog.out_read = fresh[-1].cmid
            read = {
                "from_id": user.id,
                "peer_id": dialog.peer_id,
                "read_message_id": 0 if dialog.is_chat else fresh[-1].id,
                "conversation_message_id": fresh[-1].cmid,
            }
            self._community.announce(Event("message_read", dialog.peer_id, details=read))
        return len(fresh)

    def operator_writes(self, chat: str, text: str) -> dict[str, Any]:
        """A human on vk.com: `admin_author_id` says who, and random_id is 0."""
        dialog = self._known_dialog(chat)
        draft = Draft(text=text, extras={"admin_author_id": self._settings.admin_id})
        written = self._community.post(dialog, -self._community.id, draft, via="operator")
        return _written(dialog, [written])

    def delete(self, message_id: str) -> None:
        """For everybody; VK tells no subscriber (§4.3 has no such event)."""
        message = self._community.by_key(message_id)
        if message is None:
            refuse(404, "there is no such message")
        if message.via != "customer":
            refuse(409, "a customer can delete only messages of their own")
        message.hidden_from |= {"community", "customer"}

    def faults(self) -> dict[str, Any]:
        return self._switches.now.model_dump()

    def set_faults(self, given: dict[str, Any]) -> None:
        self._switches.set(given)
        if "closed_window" in given:
            self._set_windows(closed=self._switches.now.closed_window)
        if given.get("servers_failed"):
            self._registry.fail_all()
        if given.get("unsubscribed"):
            self._registry.forget()

    def reset_faults(self) -> None:
        self._switches.reset()
        self._set_windows(closed=False)

    def reset(self, *, everything: bool) -> None:
        self.reset_faults()
        for store in (self.courier, self._community, self._uploads, self._barriers, self._gate):
            store.forget()
        if everything:
            self._registry.forget()
            self._long_poll.forget()
            self._community.users.clear()
        self._meet_customers()

    def _meet_customers(self) -> None:
        for name in seed.CUSTOMERS:
            self._community.user(name)
        seed.furnish(self._community)

    def _announce(self, event: Event) -> None:
        event_id = new_key()
        self._deliveries.publish(event, event_id)
        self._long_poll.publish(event, event_id)

    def _set_windows(self, *, closed: bool) -> None:
        for dialog in self._community.dialogs.values():
            dialog.closed = closed

    def _known_dialog(self, chat: str) -> Dialog:
        found = next((d for d in self._community.dialogs.values() if str(d.peer_id) == chat), None)
        return found or refuse(404, "there is no such chat")

    def _dialog_for(self, user: User, letter: Letter) -> Dialog:
        """The customer's own dialog, or a group chat they are in."""
        if letter.ad is not None or letter.chat_type is not None:
            refuse(422, "VK has neither ads nor chat types; name the chat or nothing")
        if letter.chat is None or letter.chat == str(user.id):
            return self._community.dialog(user.id)
        dialog = self._known_dialog(letter.chat)
        if user.id not in dialog.members:
            refuse(404, "this customer has no such chat")
        return dialog

    def _dialogs_of(self, user: User) -> list[Dialog]:
        dialogs = self._community.dialogs.values()
        return [d for d in dialogs if d.messages and (d.peer_id == user.id or user.id in d.members)]

    def _dialogs_seen_by(self, customer: str, chat: str | None) -> list[Dialog]:
        user = self._community.find_user(customer)
        dialogs = self._dialogs_of(user) if user else []
        return [d for d in dialogs if chat is None or str(d.peer_id) == chat]


def _written(dialog: Dialog, messages: list[Message]) -> dict[str, Any]:
    return {"chat_id": str(dialog.peer_id), "message_ids": [message.key for message in messages]}
