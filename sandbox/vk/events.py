"""The envelopes that subscribers get (contract §4.1, §4.3). Pure."""

import json
from typing import Any

from sandbox.vk.community import Community, Event
from sandbox.vk.views import message_view

CLIENT = {
    "button_actions": [
        "text",
        "vkpay",
        "open_app",
        "location",
        "open_link",
        "callback",
        "intent_subscribe",
        "intent_unsubscribe",
    ],
    "keyboard": True,
    "inline_keyboard": True,
    "carousel": True,
    "lang_id": 0,
}
VERSION = "5.199"
WRAPPED_SINCE = (5, 103)
KNOWN = (
    "message_new",
    "message_reply",
    "message_edit",
    "message_allow",
    "message_deny",
    "message_typing_state",
    "message_read",
    "message_event",
    "message_reaction_event",
    "user_block",
    "user_unblock",
    "lead_forms_new",
    "poll_vote_new",
    "audio_new",
)
FAMILIES = ("wall_", "photo_", "video_", "board_", "market_", "group_", "like_", "donut_")


def is_event(name: str) -> bool:
    """Whether a server can subscribe to it (§3.5)."""
    return name in KNOWN or (name.startswith(FAMILIES) and name != "group_id")


def object_of(
    community: Community, event: Event, *, version: str = VERSION, string_payload: bool = False
) -> dict[str, Any]:
    """The `object`: only `message_new` wraps its message, and only since 5.103."""
    if event.message is None:
        payload = event.details.get("payload")
        if string_payload and event.type == "message_event":
            return {**event.details, "payload": json.dumps(payload, ensure_ascii=False)}
        return event.details
    shown = message_view(community, event.message)
    if event.type != "message_new" or number_of(version) < WRAPPED_SINCE:
        return shown
    return {"message": shown, "client_info": CLIENT}


def envelope(kind: str, event_id: str, group_id: int, version: str = VERSION) -> dict[str, Any]:
    return {"type": kind, "event_id": event_id, "v": version, "group_id": group_id}


def number_of(version: str) -> tuple[int, int]:
    """5.199 as (5, 199); the caller has checked the form."""
    major, _, minor = version.partition(".")
    return int(major), int(minor)
