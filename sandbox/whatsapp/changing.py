"""What happens to messages that exist: reaction, edit, deletion, read mark (contract §3.2)."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.timing import Clock
from sandbox.whatsapp.drafts import Drafts, known
from sandbox.whatsapp.errors import body_of, done, fail, text_in
from sandbox.whatsapp.exchange import Exchange, Origin, new_task_id
from sandbox.whatsapp.gate import Gate
from sandbox.whatsapp.profile import Content, Message, Profile
from sandbox.whatsapp.queries import flag

EDIT_WITHIN = 900


class Changing:
    def __init__(self, exchange: Exchange, drafts: Drafts, now: Clock) -> None:
        self._exchange = exchange
        self._drafts = drafts
        self._now = now

    def routes(self, gate: Gate) -> list[Route]:
        calls = {
            "reaction": self._react,
            "edit": self._edit,
            "delete": self._delete,
            "mark/read": self._read,
        }
        return [gate.post(f"/api/sync/message/{name}", call) for name, call in calls.items()]

    async def _react(self, profile: Profile, request: Request) -> Response:
        """An empty emoji takes the reaction back; `uuid` and no `task_id` in the answer."""
        body = await body_of(request)
        target = known(profile, text_in(body, "message_id"))
        content = Content("reaction", text_in(body, "body", optional=True), about=target.id)
        sent = self._exchange.send(profile, target.chat, content, Origin("api"))
        return done(self._now(), message_id=sent.id, uuid=profile.id)

    async def _edit(self, profile: Profile, request: Request) -> Response:
        """Own texts, within 15 minutes; the id in the answer is another than the edited one."""
        body = await body_of(request)
        message = self._own(profile, text_in(body, "message_id"), "editMessage")
        text = self._drafts.checked_text(text_in(body, "body"))
        late = self._now() - message.created > EDIT_WITHIN
        if late or message.content.type != "chat":
            fail("editMessage error")
        task_id = new_task_id()
        edited = self._exchange.edit(profile, message, text, Origin("api", task_id))
        return done(self._now(), message_id=edited.id, task_id=task_id)

    async def _delete(self, profile: Profile, request: Request) -> Response:
        """The answer has no ids; deleting twice fails as it does for chats."""
        body = await body_of(request)
        message = self._own(profile, text_in(body, "message_id"), "deleteMessage")
        self._exchange.delete(profile, message)
        return done(self._now())

    async def _read(self, profile: Profile, request: Request) -> Response:
        """One message, or with `mark_all` its whole chat."""
        message = known(profile, text_in(await body_of(request), "message_id"))
        for one in message.chat.messages if flag(request, "mark_all") else [message]:
            one.read = True
        return done(self._now())

    def _own(self, profile: Profile, message_id: str, command: str) -> Message:
        message = known(profile, message_id)
        if not message.own or message.deleted:
            fail(f"{command} error")
        return message
