"""The community's state as VK's JSON (contract §3.2, §4.3, §4.4). Pure."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

from sandbox.vk.community import CHATS_FROM, Community, Dialog, Message, User

Barrier: TypeAlias = Callable[[int], int | None]
DEACTIVATED = {18: "deleted", 37: "banned"}


DEPTH, WHOLE_DEPTH = 1, 20
CHAT_RIGHTS = (
    "can_change_info",
    "can_change_invite_link",
    "can_change_pin",
    "can_invite",
    "can_promote_users",
    "can_see_invite_link",
    "can_moderate",
    "can_copy_chat",
    "can_call",
    "can_use_mass_mentions",
)


def message_view(community: Community, message: Message, *, whole: bool = False) -> dict[str, Any]:
    """A message. Forwards within forwards are cut and `is_cropped` says so, unless it is read `whole`."""
    shown = _with_context(community, message, WHOLE_DEPTH if whole else DEPTH)
    cropped = not whole and any(forwarded.draft.forwarded for forwarded in message.draft.forwarded)
    return {**shown, "is_cropped": True} if cropped else shown


def _with_context(community: Community, message: Message, depth: int) -> dict[str, Any]:
    draft = message.draft
    shown = _core(community, message) | {
        "out": int(message.out),
        "version": 10_000_000 + message.id,
        "fwd_messages": [_nested(community, forwarded, depth - 1) for forwarded in draft.forwarded],
        "important": False,
        "is_hidden": False,
        "random_id": message.random_id,
    }
    return {**shown, **_optional(community, message)}


def _nested(community: Community, message: Message, depth: int) -> dict[str, Any]:
    shown = {**_core(community, message), **_place(message.draft.extras)}
    forwarded = message.draft.forwarded if depth > 0 else []
    return {**shown, "fwd_messages": [_nested(community, m, depth - 1) for m in forwarded]}


def _core(community: Community, message: Message) -> dict[str, Any]:
    draft = message.draft
    return {
        "id": 0 if message.peer_id > CHATS_FROM else message.id,
        "date": message.date,
        "peer_id": message.peer_id,
        "from_id": message.from_id,
        "text": draft.text,
        "conversation_message_id": message.cmid,
        "attachments": [_attachment(community, given) for given in draft.attachments],
    }


def _place(extras: dict[str, Any]) -> dict[str, Any]:
    return {"geo": extras["geo"]} if "geo" in extras else {}


def _optional(community: Community, message: Message) -> dict[str, Any]:
    draft, shown = message.draft, dict(message.draft.extras)
    if draft.reply_to:
        shown["reply_message"] = _nested(community, draft.reply_to, 0)
    if draft.payload is not None:
        shown["payload"] = draft.payload
    if draft.keyboard is not None:
        shown["keyboard"] = draft.keyboard
    if message.edited is not None:
        shown["update_time"] = message.edited
    return shown


def _attachment(community: Community, given: dict[str, Any]) -> dict[str, Any]:
    """As stored; a voice note gets its transcript when the time has come (§4.4)."""
    kind = given["type"]
    due = community.transcripts.get(given[kind].get("id", 0)) if kind == "audio_message" else None
    if due is None:
        return given
    ready_at, words = due
    heard = (
        {"transcript": words, "transcript_state": "done"}
        if community.clock() >= ready_at
        else {"transcript_state": "in_progress"}
    )
    return {"type": kind, kind: {**given[kind], **heard}}


def dialog_view(community: Community, dialog: Dialog, barrier: Barrier) -> dict[str, Any]:
    """A conversation; `unread_count` is absent when zero (§3.2)."""
    messages = dialog.seen_by("community")
    last = messages[-1] if messages else None
    code = barrier(dialog.peer_id)
    shown: dict[str, Any] = {
        "peer": _peer(dialog.peer_id),
        "version": 10_000_000 + (last.id if last else 0),
        "sort_id": {"major_id": 0, "minor_id": last.id if last else 0},
        "last_message_id": _shown_id(last),
        "last_conversation_message_id": last.cmid if last else 0,
        "in_read": _shown_id(_read_to(dialog, dialog.in_read)),
        "out_read": _shown_id(_read_to(dialog, dialog.out_read)),
        "in_read_cmid": dialog.in_read,
        "out_read_cmid": dialog.out_read,
        "important": False,
        "unanswered": is_unanswered(dialog),
        "is_marked_unread": False,
        "can_write": {"allowed": True} if code is None else {"allowed": False, "reason": code},
    }
    if unread := unread_count(dialog):
        shown["unread_count"] = unread
    if dialog.is_chat:
        shown["chat_settings"] = _chat_settings(dialog)
    return shown


def _shown_id(message: Message | None) -> int:
    return 0 if message is None or message.peer_id > CHATS_FROM else message.id


def _read_to(dialog: Dialog, cmid: int) -> Message | None:
    return dialog.at(cmid)


def _peer(peer_id: int) -> dict[str, Any]:
    if peer_id > CHATS_FROM:
        return {"id": peer_id, "type": "chat", "local_id": peer_id - CHATS_FROM}
    return {"id": peer_id, "type": "user" if peer_id > 0 else "group", "local_id": abs(peer_id)}


def _chat_settings(dialog: Dialog) -> dict[str, Any]:
    return {
        "title": dialog.title,
        "members_count": len(dialog.members) + 1,
        "owner_id": dialog.members[0] if dialog.members else 0,
        "state": "in",
        "photo": {},
        "acl": dict.fromkeys(CHAT_RIGHTS, False),
    }


def unread_count(dialog: Dialog) -> int:
    return sum(m.cmid > dialog.in_read and not m.out for m in dialog.seen_by("community"))


def is_unanswered(dialog: Dialog) -> bool:
    messages = dialog.seen_by("community")
    return bool(messages) and not messages[-1].out and not dialog.answered


def user_view(user: User, *, code: int | None = None, photo: str = "") -> dict[str, Any]:
    """A person; `photo` when pictures were asked for, `deactivated` for error 18 and 37."""
    first, _, last = user.name.partition(" ")
    shown: dict[str, Any] = {
        "id": user.id,
        "first_name": first,
        "last_name": last,
        "can_access_closed": True,
        "is_closed": False,
    }
    if code in DEACTIVATED:
        shown["deactivated"] = DEACTIVATED[code or 0]
    if photo:
        shown |= {f"photo_{size}": f"{photo}/{size}.png" for size in (50, 100, 200)}
    return shown


def group_view(community: Community) -> dict[str, Any]:
    return {
        "id": community.id,
        "name": community.name,
        "screen_name": f"club{community.id}",
        "is_closed": 0,
        "type": "group",
        "photo_50": "https://img.example.test/50.png",
        "photo_100": "https://img.example.test/100.png",
        "photo_200": "https://img.example.test/200.png",
    }


def people_view(community: Community, messages: Iterable[Message], peers: Sequence[int]) -> dict[str, Any]:
    """`profiles` and `groups` of an answer with `extended=1`."""
    wanted = {*peers, *(message.from_id for message in messages)}
    profiles = [user_view(user) for user in community.users.values() if user.id in wanted]
    return {"profiles": profiles, "groups": [group_view(community)]}
