"""What a customer does without a new message: press, react, edit, type, allow, deny (contract §4.3)."""

import json
from collections.abc import Callable
from typing import Any, TypeAlias

from sandbox.answers import refuse
from sandbox.vendor import Letter
from sandbox.vk.community import Community, Dialog, Draft, Event, Message, Press, User, new_key

Gesture: TypeAlias = Callable[[User, Dialog, Letter], None]
REACTIONS = range(1, 17)


class Gestures:
    """Each is a control `type`; `content.message` names the message, else the last fitting one is meant."""

    def __init__(self, community: Community, *, edits_aloud: bool) -> None:
        self._community = community
        self._edits_aloud = edits_aloud
        self._known: dict[str, Gesture] = {
            "press": self._press,
            "reaction": self._react,
            "unreaction": self._unreact,
            "edit": self._edit,
            "typing": self._typing,
            "message_allow": self._allow,
            "message_deny": self._deny,
            "event": self._any,
        }

    def find(self, kind: str | None) -> Gesture | None:
        return self._known.get(kind or "")

    def types(self) -> list[str]:
        return list(self._known)

    def _press(self, user: User, dialog: Dialog, letter: Letter) -> None:
        """A callback button of ours; `content.payload` stands for another button."""
        content = letter.content or {}
        message = self._meant(dialog, content, lambda m: _callback(m) is not None or "payload" in content)
        payload = content.get("payload", _callback(message))
        event_id = new_key()
        self._community.presses[event_id] = Press(user.id, message, self._community.clock())
        self._tell(
            "message_event",
            dialog,
            {
                "user_id": user.id,
                "peer_id": dialog.peer_id,
                "event_id": event_id,
                "payload": payload,
                "conversation_message_id": message.cmid,
            },
        )

    def _react(self, user: User, dialog: Dialog, letter: Letter) -> None:
        content = letter.content or {}
        number = content.get("reaction_id", 1)
        if type(number) is not int or number not in REACTIONS:
            refuse(422, f"content.reaction_id: 1 to {REACTIONS[-1]}")
        message = self._meant(dialog, content, lambda m: m.out)
        message.reactions[user.id] = number
        self._tell("message_reaction_event", dialog, {**_reaction(user, message), "reaction_id": number})

    def _unreact(self, user: User, dialog: Dialog, letter: Letter) -> None:
        """Taken back: the event has no reaction_id."""
        message = self._meant(dialog, letter.content or {}, lambda m: user.id in m.reactions)
        message.reactions.pop(user.id, None)
        self._tell("message_reaction_event", dialog, _reaction(user, message))

    def _edit(self, user: User, dialog: Dialog, letter: Letter) -> None:
        """A message of their own gets other words."""
        content = letter.content or {}
        message = self._meant(dialog, content, lambda m: m.from_id == user.id)
        if message.from_id != user.id:
            refuse(409, "a customer can edit only messages of their own")
        old = message.draft
        text = letter.text or str(content.get("text") or f"{old.text} (исправлено)")
        new = Draft(text, old.attachments, old.reply_to, old.forwarded, old.payload, extras=old.extras)
        self._community.edit(message, new, aloud=self._edits_aloud)

    def _typing(self, user: User, dialog: Dialog, _: Letter) -> None:
        to = -self._community.id
        self._tell("message_typing_state", dialog, {"state": "typing", "from_id": user.id, "to_id": to})

    def _allow(self, user: User, dialog: Dialog, letter: Letter) -> None:
        user.allowed = True
        key = str((letter.content or {}).get("key", "k1"))
        self._tell("message_allow", dialog, {"user_id": user.id, "key": key})

    def _deny(self, user: User, dialog: Dialog, _: Letter) -> None:
        user.allowed = False
        self._tell("message_deny", dialog, {"user_id": user.id})

    def _any(self, _: User, dialog: Dialog, letter: Letter) -> None:
        """Any other event of the community: `content` is `{"type", "object"}`."""
        content = letter.content or {}
        kind, given = content.get("type"), content.get("object", {})
        if not isinstance(kind, str) or not isinstance(given, dict):
            refuse(422, "content: give type and object of the event")
        self._tell(kind, dialog, given)

    def _tell(self, kind: str, dialog: Dialog, details: dict[str, Any]) -> None:
        self._community.announce(Event(kind, dialog.peer_id, details=details))

    def _meant(self, dialog: Dialog, content: dict[str, Any], fits: Callable[[Message], bool]) -> Message:
        if "message" in content:
            found = self._community.by_key(str(content["message"]))
            found = found if found and found.peer_id == dialog.peer_id else None
        else:
            found = next((m for m in reversed(dialog.seen_by("customer")) if fits(m)), None)
        return found or refuse(404, "there is no message for this")


def _reaction(user: User, message: Message) -> dict[str, Any]:
    return {"reacted_id": user.id, "peer_id": message.peer_id, "cmid": message.cmid}


def _callback(message: Message) -> Any:
    """The parsed payload of the first callback button of a message; None without one."""
    for row in (message.draft.keyboard or {}).get("buttons", []):
        for button in row:
            if button["action"]["type"] == "callback":
                return json.loads(button["action"]["payload"])
    return None
