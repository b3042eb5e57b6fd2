"""Wappi's own switches, beside the shared ones: failures, session states, and every open question of §11."""

from typing import Annotated, Literal, TypeAlias

from pydantic import BeforeValidator, Field, NonNegativeFloat, PositiveFloat

from sandbox.faults import Faults, NextCalls, counted

Whose: TypeAlias = bool | str  # true: every profile; a string: the profile of this id
WebhookType: TypeAlias = Literal[
    "authorization_status",
    "incoming_message",
    "delivery_status",
    "outgoing_message_api",
    "outgoing_message_phone",
    "application_status",
    "incoming_call",
]


class Refusal(NextCalls):
    """The next calls fail: 400 with a `detail`, a bare 400, or HTTP 200 with an error inside (§7)."""

    shape: Literal["detail", "bare", "as_200"] = "detail"
    detail: str = "sendMessage error"


class Hang(NextCalls):
    """The next calls give no answer for `seconds`, then a proxy's 504 in HTML (§7)."""

    seconds: PositiveFloat = 300


class Failures(Faults):
    """Wrong answers (§7, §9.8). `error` of 500 and above comes as HTML, below it as JSON.

    `late_answer`: seconds between the storing of a sent message and the answer, so that the echo is first.
    `crossed_files`: two downloads that run at once return each other's file (§3.5).
    """

    bad_token: bool = False
    refuse: Annotated[Refusal | None, BeforeValidator(counted)] = None
    hang: Annotated[Hang | None, BeforeValidator(counted)] = None
    late_answer: NonNegativeFloat = 0
    crossed_files: bool = False


class Sessions(Failures):
    """States of the profile (§6.4) and of the numbers it writes to.

    `logged_out`, `unpaid` and `app_status` change the profile the moment they are set, with the webhooks
    that belong to it, and false (or a reset of the faults) heals: a person scans the code, pays, waits.
    `unsubscribed` takes the webhook's URL away; only a new subscription heals that.
    `delivery_ends`: what becomes of sent messages; `pending` means that nothing further is heard of them.
    """

    logged_out: Whose = False
    unpaid: Whose = False
    unsubscribed: Whose = False
    app_status: Literal["open", "connecting", "close"] = "open"
    not_on_whatsapp: list[str] = Field(default_factory=list)
    delivery_ends: Literal["delivered", "undelivered", "error", "temporary ban", "pending"] = "delivered"
    skip_statuses: list[str] = Field(default_factory=list)


class OpenQuestions(Sessions):
    """Answers that nobody knows (§11); the defaults are what the contract finds likelier.

    `lenient`: GET on `chats/get` and an object around the array of `types/set` are taken (§9.1).
    `unknown_profile`: the status for a profile that is not ours. `logged_out_hangs`: calls of a logged-out
    profile wait instead of failing. `empty_chat`: "Messages not found" under 200, under 400, or a plain
    empty list. `mov`: what a .mov ends in (§8). `audio_shows_as`: §3.2. `edit_id`: whether an edit is a
    message of its own. `deletion_webhook`: whether a client's deletion is told (`is_deleted`).
    """

    lenient: bool = False
    unknown_profile: Literal[400, 403, 404] = 400
    logged_out_hangs: bool = False
    empty_chat: Literal["200", "400", "list"] = "200"
    download_as: Literal["base64", "link", "both"] = "base64"
    date_side: Literal["since", "until"] = "since"
    date_zone: int = Field(default=3, ge=-12, le=14)
    mov: Literal["refused", "hang", "undelivered"] = "refused"
    audio_shows_as: Literal["ptt", "audio"] = "ptt"
    quotes_in_send: bool = True
    bot_id_returns: bool = True
    lid_recipients: bool = False
    edit_id: Literal["new", "same"] = "new"
    deletion_webhook: bool = False


class WhatsAppFaults(OpenQuestions):
    """All switches; here the webhook's shape (§4, §9.6).

    `object_for`: types whose `messages` is one object. `items_per_post`: how many messages written
    together share a POST. `media_as`: where the file is; a `thumbnail` is a small body without a link,
    `none` leaves only `media/download`. `fields`: `short` is the set of 2022. `auth_header`: the name of
    the header for the phrase (§6.3). `address_suffix`: of contact ids in chat lists and search (§2.1).
    `operator_as_incoming`: the older form of messages typed on the phone (§4.4).
    `reply_repeats_own_text`: §4.3. `fraction_digits` of time strings (§2.2).
    """

    object_for: tuple[WebhookType, ...] = ("delivery_status", "incoming_call")
    items_per_post: int = Field(default=1, ge=1, le=50)
    media_as: Literal["both", "base64", "link", "thumbnail", "none"] = "both"
    fields: Literal["full", "short"] = "full"
    auth_header: str = Field(default="Authorization", pattern=r"^[A-Za-z0-9-]{1,60}$")
    address_suffix: Literal["c.us", "s.whatsapp.net"] = "c.us"
    operator_as_incoming: bool = False
    reply_repeats_own_text: bool = False
    fraction_digits: Literal[0, 6, 9] = 0


def hits(switch: Whose, profile_id: str) -> bool:
    """Whether a switch is meant for this profile."""
    return switch is True or switch == profile_id
