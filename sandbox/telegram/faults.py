"""Telegram's own switches, beside the shared ones."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, NonNegativeFloat

from sandbox.faults import Failing, Faults, NextCalls, counted


class TelegramFailing(Failing):
    """`description` goes after the prefix of the status, such as "Bad Request: "."""

    description: str = ""


class Forbidden(NextCalls):
    """403 for the next sends."""

    description: str = "bot was blocked by the user"


class TelegramFaults(Faults):
    """`expired_token`: the token was revoked. `unsubscribed` removes the webhook at
    once and turns itself off.

    `drop_as`: how a stored send loses its answer. `closed_window`: business chats count as silent for 24 h.
    `no_fetch`: files cannot be fetched by URL. `secret`: the secret header of webhooks.
    `clock_ahead`: seconds that this vendor's clock is ahead of the sandbox.
    """

    error: Annotated[TelegramFailing | None, BeforeValidator(lambda value: value or None)] = None
    forbidden: Annotated[Forbidden | None, BeforeValidator(counted)] = None
    expired_token: Annotated[bool, BeforeValidator(bool)] = False
    unsubscribed: bool = False
    drop_as: Literal["502", "500", "cut"] = "502"
    closed_window: bool = False
    no_fetch: bool = False
    secret: Literal["right", "wrong", "absent"] = "right"  # noqa: S105  # a mode, not a secret
    clock_ahead: NonNegativeFloat = 0
