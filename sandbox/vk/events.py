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
OTHERS = (
    "board_post_delete",
    "board_post_edit",
    "board_post_new",
    "board_post_restore",
    "donut_money_withdraw",
    "donut_money_withdraw_error",
    "donut_subscription_cancelled",
    "donut_subscription_create",
    "donut_subscription_expired",
    "donut_subscription_price_changed",
    "donut_subscription_prolonged",
    "group_change_photo",
    "group_change_settings",
    "group_join",
    "group_leave",
    "group_officers_edit",
    "market_comment_delete",
    "market_comment_edit",
    "market_comment_new",
    "market_comment_restore",
    "photo_comment_delete",
    "photo_comment_edit",
    "photo_comment_new",
    "photo_comment_restore",
    "photo_new",
    "video_comment_delete",
    "video_comment_edit",
    "video_comment_new",
    "video_comment_restore",
    "video_new",
    "wall_post_new",
    "wall_reply_delete",
    "wall_reply_edit",
    "wall_reply_new",
    "wall_reply_restore",
    "wall_repost",
    "wall_schedule_post_delete",
    "wall_schedule_post_new",
)
"""With KNOWN, what the settings always list (schema 5.199, groups_long_poll_events); more names exist."""
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
