"""`POST /{subject}/messages`: messages, sender actions, reactions (contract §5, §7); uploads of flavour B."""

import secrets

from sandbox.answers import RefusedError
from sandbox.faults import Switchboard
from sandbox.instagram.barriers import Barriers, Recipient
from sandbox.instagram.calls import Call, objects_of
from sandbox.instagram.errors import invalid, lost, no_such_object
from sandbox.instagram.events import REACTIONS
from sandbox.instagram.faults import InstagramFaults
from sandbox.instagram.gate import Edges
from sandbox.instagram.limits import Limits
from sandbox.instagram.outgoing import INVALID, Drafting
from sandbox.instagram.settings import InstagramSandboxSettings
from sandbox.instagram.shop import Chat, Json, Shop

TYPES = {"RESPONSE", "UPDATE", "MESSAGE_TAG"}


class Sending:
    def __init__(
        self,
        settings: InstagramSandboxSettings,
        *,
        shop: Shop,
        drafting: Drafting,
        barriers: Barriers,
        limits: Limits,
        switches: Switchboard[InstagramFaults],
    ) -> None:
        self._settings = settings
        self._shop = shop
        self._drafting = drafting
        self._barriers = barriers
        self._limits = limits
        self._switches = switches

    def edges(self) -> Edges:
        return {("POST", "messages"): self._send, ("POST", "message_attachments"): self._upload}

    async def _send(self, call: Call) -> Json:
        """Message and action together are 100/2018014 (§5.1)."""
        self._barriers.check_sender(call)
        given = objects_of(call.params, "recipient", "message", "payload", "reply_to")
        action = call.text("sender_action")
        if action and "message" in given:
            invalid("Message and sender_action cannot be sent together", 2018014)
        if not action and "message" not in given:
            invalid("Param message or sender_action is required")
        to = self._barriers.recipient(call, given.get("recipient"))
        return self._act(call, to.chat, action, given) if action else await self._message(call, to, given)

    async def _message(self, call: Call, to: Recipient, given: Json) -> Json:
        human = _wants_human_agent(call)
        quoted = self._quoted(to.chat, given.get("reply_to"))
        draft = await self._drafting.draft(call.account, given["message"])
        if to.comment:
            self._barriers.check_comment(to.comment, draft.content)
            self._limits.private_reply(call.account, live=to.comment.live)
            to.comment.replied = True
        else:
            self._barriers.check_window(to.chat, human=human)
            self._limits.send(call.account, heavy=draft.heavy)
        content = {**draft.content, **({"reply_to": {"mid": quoted}} if quoted else {})}
        sent = self._shop.post(to.chat, draft.type, content, via="api", extras=draft.extras)
        if self._switches.spend_drop():
            raise RefusedError(lost(self._switches.now.lost_answer))
        return {"recipient_id": to.chat.id, "message_id": sent.id}

    def _quoted(self, chat: Chat, given: object) -> str | None:
        """A message of this conversation, or 100/2534015 (the contract does not tell)."""
        if given is None:
            return None
        mid = given.get("mid") if isinstance(given, dict) else None
        if all(message.id != mid for message in chat.alive()):
            invalid("The message of reply_to does not exist", INVALID)
        return str(mid)

    def _act(self, call: Call, chat: Chat, action: str, given: Json) -> Json:
        """No echo comes of these (§15.3); whether they need the window is not told."""
        if action not in {"typing_on", "typing_off", "mark_seen", "react", "unreact"}:
            invalid("Param sender_action must be typing_on, typing_off, mark_seen, react or unreact")
        if self._settings.actions_need_window:
            self._barriers.check_window(chat)
        self._limits.send(call.account, heavy=False)
        if action == "mark_seen":
            self._shop.read_by(chat, business=True)
        elif action in {"typing_on", "typing_off"}:
            chat.typing = action == "typing_on"
        else:
            self._react(call, chat, action, given.get("payload"))
        return {"recipient_id": chat.id}

    def _react(self, call: Call, chat: Chat, action: str, payload: object) -> None:
        if not isinstance(payload, dict):
            invalid("Param payload must be an object", INVALID)
        message = next((m for m in chat.alive() if m.id == payload.get("message_id")), None)
        if message is None:
            invalid("The message of the reaction does not exist", INVALID)
        if action == "unreact":
            message.reactions.pop(call.account.user_id, None)
            return
        reaction = payload.get("reaction")
        if not isinstance(reaction, str) or not reaction:
            invalid("Param payload[reaction] is required", INVALID)
        message.reactions[call.account.user_id] = REACTIONS.get(reaction, reaction)

    async def _upload(self, call: Call) -> Json:
        """Upload once, reuse; flavour B only (§5.2)."""
        if self._settings.flavour != "facebook":
            no_such_object(call.node)
        self._barriers.check_sender(call)
        if call.text("platform") != "instagram":
            invalid("Param platform must be instagram")
        message = objects_of(call.params, "message").get("message")
        attachment = message.get("attachment") if isinstance(message, dict) else None
        payload = attachment.get("payload") if isinstance(attachment, dict) else None
        if not isinstance(payload, dict) or not payload.get("is_reusable"):
            invalid("Param payload[is_reusable] must be true", INVALID)
        number = str(secrets.randbelow(9 * 10**15) + 10**15)
        known = await self._drafting.attachment(call.account, dict(attachment or {}))
        self._shop.uploads[call.account.user_id, number] = known
        return {"attachment_id": number}


def _wants_human_agent(call: Call) -> bool:
    """`MESSAGE_TAG` and `HUMAN_AGENT` belong together (§5.1, §6)."""
    kind, tag = call.text("messaging_type"), call.text("tag")
    if kind is not None and kind not in TYPES:
        invalid(f"Param messaging_type must be one of {', '.join(sorted(TYPES))}")
    if tag not in {None, "HUMAN_AGENT"} or (tag is None) is (kind == "MESSAGE_TAG"):
        invalid("Param tag must be HUMAN_AGENT, with messaging_type MESSAGE_TAG")
    return tag is not None
