"""Instagram's own switches, beside the shared ones."""

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, NonNegativeFloat

from sandbox.faults import Failing, Faults, RateLimit, counted

Refusal: TypeAlias = Literal[
    "access", "role", "tools", "link", "restricted", "limited", "policy", "archived", "ineligible"
]


class Throttle(RateLimit):
    """One of the throttling codes of contract §11; a `Retry-After` header only when it is asked for."""

    retry_after: NonNegativeFloat | None = None
    code: Literal[4, 17, 32, 613, 80002, 80006] = 613
    subcode: int | None = 2534040
    status: int = Field(default=400, ge=400, le=599)


class GraphFailing(Failing):
    """A refusal of one's own; `apply` does the work first, `drop` cuts the connection."""

    code: int = 2
    subcode: int | None = None
    message: str = "An unexpected error has occurred. Please retry your request later."
    apply: bool = False
    drop: bool = False


class DeadToken(BaseModel):
    """190 for every token while it is on: 458 app removed, 459 checkpoint, 460 password, 463 expired, 467."""

    model_config = ConfigDict(extra="forbid")
    subcode: Literal[458, 459, 460, 463, 467] | None = 463


def _dead(value: object) -> object:
    """True is an expired token, a bare number its subcode; nothing and false mean off."""
    if not value:
        return None
    if value is True:
        return {}
    return {"subcode": int(value)} if isinstance(value, int | str) else value


class InstagramFaults(Faults):
    """Account: `logged_out` is 190/460; `unsubscribed` delivers nothing; `closed_window` refuses every send
    without a human agent's tag; `human_agent` overrides the setting (§6); `refused` names why sends are
    refused (§12); `standby` gives the thread to another app (§13.5): events arrive there, sends are refused;
    `broadcast_over`: live comments take no private reply any more (§5.1).

    Webhooks: `signature`, `array_body` and `swapped_entry_id` (§13.5), `num_edit_text` (§13.6), `development`
    (§16 m), `deaf_to` customers by name or id (§16 c). `lost_answer`: how a stored send loses its answer.
    `clock_ahead`: seconds that this vendor's clock is ahead (links of files follow the sandbox's).
    """

    rate_limit: Annotated[Throttle | None, BeforeValidator(counted)] = None
    error: Annotated[GraphFailing | None, BeforeValidator(lambda value: value or None)] = None
    expired_token: Annotated[DeadToken | None, BeforeValidator(_dead)] = None
    logged_out: bool = False
    unsubscribed: bool = False
    closed_window: bool = False
    human_agent: bool | None = None
    refused: Refusal | None = None
    clock_ahead: NonNegativeFloat = 0
    standby: bool = False
    signature: Literal["right", "wrong", "missing"] = "right"
    array_body: bool = False
    swapped_entry_id: bool = False
    num_edit_text: bool = False
    development: bool = False
    deaf_to: list[str] = Field(default_factory=list)
    lost_answer: Literal["502", "cut"] = "502"
    broadcast_over: bool = False


REFUSALS: dict[Refusal, tuple[int, int | None, str]] = {
    "access": (200, 2534048, "This app does not have Advanced Access and the person has no role on it."),
    "role": (200, 2018028, "Cannot message users who are not admins, developers or testers of the app."),
    "tools": (200, 2534041, "The owner has turned off access to messages for connected tools."),
    "link": (10, 2534077, "The account is not linked correctly or needs two-factor authentication."),
    "restricted": (10, 1893063, "This business is restricted from messaging."),
    "limited": (100, 2534029, "This account is restricted."),
    "policy": (368, None, "The action attempted has been deemed abusive or is otherwise disallowed."),
    "archived": (100, 2534001, "The thread was archived or deleted by its owner."),
    "ineligible": (36103, None, "This account is not eligible for the API."),
}
