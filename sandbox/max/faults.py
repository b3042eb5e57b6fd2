"""MAX's own switches, beside the shared ones."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, NonNegativeFloat, NonNegativeInt

from sandbox.faults import Failing, Faults, NextCalls, RateLimit, counted


class MaxRateLimit(RateLimit):
    """429; MAX is not known to send `Retry-After` (contract §1, §12)."""

    retry_after: NonNegativeFloat | None = None


class MaxFailing(Failing):
    """Any status with any of the vendor's codes; without `code` the one that goes with the status."""

    code: str | None = None
    message: str = "made up by the fault switch"


class MaxFaults(Faults):
    """Beside the shared switches, by sections of the contract.

    Access: `expired_token` refuses the right token too, with `auth_status` (§1); `suspended`: the bot is not
    published, every send is 403 (§8). Sending: `not_ready` so many sends find their upload in process (§4);
    `soft_failure` so many calls of yes-or-no methods end in 200 with `success: false` (§1). Webhook:
    `wrong_secret` (§5.2); `unsubscribed` drops all subscriptions at once, as after 8 bad hours, and turns
    itself off. Quirks of §10: `voice_without_message`, `press_without_chat` (as 0 or left out), `null_body`
    of forwards; `chats_listed` is the old host with its GET /chats (§0).
    """

    rate_limit: Annotated[MaxRateLimit | None, BeforeValidator(counted)] = None
    error: Annotated[MaxFailing | None, BeforeValidator(lambda value: value or None)] = None
    expired_token: bool = False
    auth_status: Literal[401, 403] = 401
    suspended: bool = False
    not_ready: NonNegativeInt = 0
    soft_failure: Annotated[NextCalls | None, BeforeValidator(counted)] = None
    wrong_secret: bool = False
    unsubscribed: bool = False
    voice_without_message: bool = False
    press_without_chat: Literal["zero", "absent"] | None = None
    null_body: bool = False
    chats_listed: bool = False
