"""Writing: send, edit, delete, answer a button (contract §3.1, §3.3)."""

import json
from collections.abc import Mapping
from typing import Any

from sandbox.faults import Switchboard
from sandbox.vk.barriers import Barriers
from sandbox.vk.community import CHATS_FROM, Community, Draft, Message
from sandbox.vk.drafts import Drafts, check_side_parameters
from sandbox.vk.errors import TEXTS, busy_page, fail, wrong
from sandbox.vk.faults import VkFaults
from sandbox.vk.gate import Call, Method
from sandbox.vk.params import Params
from sandbox.vk.settings import VkSandboxSettings
from sandbox.vk.targets import check_group, peer_of, peers_of

MOST_DELETED, MOST_CMIDS = 1000, 100
LONGEST_ANSWER, LONGEST_SNACKBAR = 1000, 90
ANSWER_FIELDS: Mapping[str, tuple[str, ...]] = {
    "show_snackbar": ("text",),
    "open_link": ("link",),
    "open_app": ("app_id",),
}


class Sending:
    def __init__(
        self,
        community: Community,
        barriers: Barriers,
        settings: VkSandboxSettings,
        switches: Switchboard[VkFaults],
    ) -> None:
        self._community = community
        self._barriers = barriers
        self._settings = settings
        self._switches = switches
        self._drafts = Drafts(community, settings, switches)

    def methods(self) -> dict[str, Method]:
        return {
            "messages.send": self._send,
            "messages.edit": self._edit,
            "messages.delete": self._delete,
            "messages.sendMessageEventAnswer": self._answer_press,
        }

    def _send(self, call: Call) -> Any:
        """The message id for one peer, rows for `peer_ids` (§0.3); one peer's refusal stops only its row."""
        params = call.params
        check_group(self._community, params)
        peers, many = peers_of(self._community, params)
        random_id = params.required_number("random_id")
        if 0 in peers:
            wrong("peer_id is invalid")
        if not many and (code := self._barriers.code(peers[0])):
            fail(code)
        draft = self._drafts.read(params, peers[0])
        check_side_parameters(params, self._settings.intents)
        before = self._repeated(random_id, peers)
        rows = [before.get(peer) or self._row(peer, draft, random_id) for peer in peers]
        if not many and "error" in rows[0]:
            fail(rows[0]["error"]["code"])
        if self._switches.spend_drop():
            busy_page(502)
        return rows if many else rows[0]["message_id"]

    def _row(self, peer: int, draft: Draft, random_id: int) -> dict[str, Any]:
        code = self._barriers.code(peer) or self._barriers.count(peer)
        if code is not None:
            return {"peer_id": peer, "message_id": 0, "error": _row_error(code)}
        community = self._community
        message = community.post(community.dialog(peer), -community.id, draft, via="api", random_id=random_id)
        if random_id:
            community.sent.setdefault(self._scope(random_id, peer), {})[peer] = message
        return _sent(message, peer)

    def _repeated(self, random_id: int, peers: list[int]) -> dict[int, dict[str, Any]]:
        """Rows of the first messages under this random_id: a repeat gives no second message (§3.1)."""
        found: dict[int, dict[str, Any]] = {}
        for peer in peers if random_id else []:
            first = self._community.sent.get(self._scope(random_id, peer))
            if first:
                row = _sent(first.get(peer) or next(iter(first.values())), peer)
                zero = self._settings.repeated_answer == "zero"
                found[peer] = {**row, "message_id": 0} if zero else row
        return found

    def _scope(self, random_id: int, peer: int) -> str:
        return f"{random_id}:{peer}" if self._settings.random_id_scope == "peer" else str(random_id)

    def _edit(self, call: Call) -> int:
        """Own messages, while they are young; attachments that are left out are removed (§3.3)."""
        params = call.params
        check_group(self._community, params)
        peer = params.required_number("peer_id")
        message = self._message(params, peer)
        code = self._barriers.code(peer)
        if code in {901, 917, 946}:
            fail(code)
        if not message.out:
            fail(920)
        if self._community.now() - message.date > self._settings.edit_window:
            fail(909)
        draft = self._drafts.read(params, peer)
        if params.flag("keep_forward_messages"):
            draft.forwarded, draft.reply_to = message.draft.forwarded, message.draft.reply_to
        if params.flag("keep_snippets"):
            draft.attachments += [a for a in message.draft.attachments if a["type"] == "link"]
        self._community.edit(message, draft)
        return 1

    def _message(self, params: Params, peer: int) -> Message:
        name = "cmid" if params.text("cmid") else "conversation_message_id"
        if params.text(name):
            found = self._community.at(peer, params.number(name))
        else:
            found = self._community.by_id(params.required_number("message_id"))
        return found if found and found.peer_id == peer else wrong("message_id is invalid")

    def _delete(self, call: Call) -> Any:
        """One row per message; a failed one has its error inside (§3.3). No event tells of it."""
        params = call.params
        check_group(self._community, params)
        rows = [self._delete_one(params, *found) for found in self._to_delete(params)]
        if not rows:
            wrong("message_ids or cmids is required")
        if self._switches.now.delete_as_map:
            return {str(row["message_id"]): row.get("response", 0) for row in rows}
        return rows

    def _to_delete(self, params: Params) -> list[tuple[dict[str, Any], Message | None]]:
        if params.text("cmids"):
            peer = peer_of(self._community, params)
            return [
                (
                    {"peer_id": peer, "message_id": 0, "conversation_message_id": c},
                    self._community.at(peer, c),
                )
                for c in params.numbers("cmids", most=MOST_CMIDS)
            ]
        numbers = params.numbers("message_ids", most=MOST_DELETED)
        return [
            ({"peer_id": 0, "message_id": n, "conversation_message_id": 0}, self._community.by_id(n))
            for n in numbers
        ]

    def _delete_one(self, params: Params, row: dict[str, Any], message: Message | None) -> dict[str, Any]:
        if message is None:
            return {**row, "error": _row_error(104)}
        row = _sent(message, message.peer_id)
        for_all = params.flag("delete_for_all")
        too_old = self._community.now() - message.date > self._settings.edit_window
        if for_all and (not message.out or too_old):
            return {**row, "error": _row_error(924)}
        message.hidden_from |= {"community", "customer"} if for_all else {"community"}
        return {**row, "response": 1}

    def _answer_press(self, call: Call) -> int:
        params = call.params
        press = self._community.presses.get(params.required("event_id"))
        user, peer = params.required_number("user_id"), params.required_number("peer_id")
        if press is None or (press.user_id, press.message.peer_id) != (user, peer):
            wrong("event_id is invalid")
        if press.answer is not None or self._community.clock() - press.at > self._settings.press_lives:
            wrong("event_id is invalid: it has been answered or has expired")
        press.answer = _press_answer(params)
        return 1


def _sent(message: Message, peer: int) -> dict[str, Any]:
    number = 0 if message.peer_id > CHATS_FROM else message.id
    return {"peer_id": peer, "message_id": number, "conversation_message_id": message.cmid}


def _row_error(code: int) -> dict[str, Any]:
    """Inside rows the names differ from the outer error (§3.1)."""
    return {"code": code, "description": TEXTS[code]}


def _press_answer(params: Params) -> dict[str, Any]:
    """What happens on the customer's screen; without event_data the button only stops waiting."""
    if not params.text("event_data", longest=LONGEST_ANSWER):
        return {}
    answer = params.parsed("event_data")
    kind = str(answer.get("type")) if isinstance(answer, dict) else ""
    if kind not in ANSWER_FIELDS or any(not answer.get(name) for name in ANSWER_FIELDS[kind]):
        wrong(f"event_data is invalid: {json.dumps(sorted(ANSWER_FIELDS))} with their fields")
    if len(str(answer.get("text", ""))) > LONGEST_SNACKBAR:
        wrong(f"event_data is invalid: text is longer than {LONGEST_SNACKBAR}")
    return dict(answer)
