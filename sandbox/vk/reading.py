"""Reading: conversations, history, single messages (contract §3.2)."""

from collections.abc import Callable, Sequence
from typing import Any

from sandbox.vk.barriers import Barriers
from sandbox.vk.community import CHATS_FROM, Community, Dialog, Message
from sandbox.vk.errors import fail, wrong
from sandbox.vk.gate import Call, Method
from sandbox.vk.params import Params
from sandbox.vk.targets import check_group, dialog_of, peer_of
from sandbox.vk.views import dialog_view, is_unanswered, message_view, people_view, unread_count

MOST_SHOWN, MOST_NAMED = 200, 100
FILTERS: dict[str, Callable[[Dialog], bool]] = {
    "all": lambda dialog: True,
    "unread": lambda dialog: unread_count(dialog) > 0,
    "important": lambda dialog: False,
    "unanswered": is_unanswered,
    "archive": lambda dialog: False,
    "sorted_chats": lambda dialog: dialog.is_chat,
}


class Reading:
    def __init__(self, community: Community, barriers: Barriers) -> None:
        self._community = community
        self._barriers = barriers

    def methods(self) -> dict[str, Method]:
        return {
            "messages.getConversations": self._dialogs,
            "messages.getConversationsById": self._dialogs_by_id,
            "messages.getHistory": self._history,
            "messages.getById": self._by_id,
            "messages.getByConversationMessageId": self._by_cmid,
        }

    def _dialogs(self, call: Call) -> dict[str, Any]:
        params = call.params
        check_group(self._community, params)
        wanted = FILTERS.get(params.text("filter", "all"))
        if wanted is None:
            wrong(f"filter should be one of {', '.join(FILTERS)}")
        dialogs = self._community.recent_dialogs()
        found = [dialog for dialog in _from(dialogs, params) if wanted(dialog)]
        page = found[_window(params)]
        items = [{"conversation": self._view(d), "last_message": self._last(d)} for d in page]
        shown: dict[str, Any] = {"count": len(found), "items": items}
        if unread := sum(unread_count(dialog) > 0 for dialog in dialogs):
            shown["unread_count"] = unread
        return {**shown, **self._people(params, page, [])}

    def _dialogs_by_id(self, call: Call) -> dict[str, Any]:
        """Bare conversations; the people and chats that are unknown are refused by 936 and 917."""
        params = call.params
        check_group(self._community, params)
        params.required("peer_ids")
        found = [self._known(peer) for peer in params.numbers("peer_ids", most=MOST_NAMED)]
        items = [self._view(dialog) for dialog in found]
        return {"count": len(items), "items": items, **self._people(params, found, [])}

    def _known(self, peer: int) -> Dialog:
        if peer > CHATS_FROM and peer not in self._community.dialogs:
            fail(917)
        return dialog_of(self._community, peer)

    def _history(self, call: Call) -> dict[str, Any]:
        params = call.params
        check_group(self._community, params)
        dialog = dialog_of(self._community, peer_of(self._community, params))
        messages = dialog.seen_by("community")
        found = messages if params.flag("rev") else messages[::-1]
        if start := params.number("start_message_id"):
            found = [m for m in found if (m.id >= start if params.flag("rev") else m.id <= start)]
        page = found[_window(params)]
        shown: dict[str, Any] = {"count": len(messages), "items": self._shown(params, page)}
        if params.flag("extended"):
            shown["conversations"] = [self._view(dialog)]
        return {**shown, **self._people(params, [dialog], page)}

    def _by_id(self, call: Call) -> dict[str, Any]:
        """By mailbox ids, or by a peer and cmids; what is not there is left out."""
        params = call.params
        check_group(self._community, params)
        if params.text("cmids"):
            peer = peer_of(self._community, params)
            named = [self._community.at(peer, cmid) for cmid in params.numbers("cmids", most=MOST_NAMED)]
        else:
            params.required("message_ids")
            named = [self._community.by_id(n) for n in params.numbers("message_ids", most=MOST_NAMED)]
        return self._found(params, named)

    def _by_cmid(self, call: Call) -> dict[str, Any]:
        params = call.params
        check_group(self._community, params)
        peer = params.required_number("peer_id")
        params.required("conversation_message_ids")
        cmids = params.numbers("conversation_message_ids", most=MOST_NAMED)
        return self._found(params, [self._community.at(peer, cmid) for cmid in cmids])

    def _found(self, params: Params, named: Sequence[Message | None]) -> dict[str, Any]:
        """Here nothing is cropped: a message that was announced with `is_cropped` is whole."""
        found = [message for message in named if message]
        items = self._shown(params, found)
        return {"count": len(items), "items": items, **self._people(params, [], found)}

    def _shown(self, params: Params, messages: Sequence[Message]) -> list[dict[str, Any]]:
        length = params.number("preview_length", bounds=(0, 100_000))
        items = [message_view(self._community, message, whole=True) for message in messages]
        return [{**item, "text": item["text"][:length] if length else item["text"]} for item in items]

    def _view(self, dialog: Dialog) -> dict[str, Any]:
        return dialog_view(self._community, dialog, self._barriers.code)

    def _last(self, dialog: Dialog) -> dict[str, Any]:
        return message_view(self._community, dialog.seen_by("community")[-1])

    def _people(
        self, params: Params, dialogs: Sequence[Dialog], messages: Sequence[Message]
    ) -> dict[str, Any]:
        """`profiles` and `groups` come with `extended=1` only."""
        if not params.flag("extended"):
            return {}
        lasting = [message for dialog in dialogs for message in dialog.seen_by("community")[-1:]]
        peers = [dialog.peer_id for dialog in dialogs]
        return people_view(self._community, [*messages, *lasting], peers)


def _from(dialogs: list[Dialog], params: Params) -> list[Dialog]:
    start = params.number("start_message_id")
    return [d for d in dialogs if not start or d.seen_by("community")[-1].id <= start]


def _window(params: Params) -> slice:
    offset = params.number("offset", bounds=(0, 1_000_000))
    count = params.number("count", 20, (0, MOST_SHOWN))
    return slice(offset, offset + count)
