"""VK's own switches, beside the shared ones."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from sandbox.faults import Faults, NextCalls
from sandbox.vk.errors import TEXTS


def _known(code: int) -> int:
    if code not in TEXTS:
        raise ValueError("the contract knows no such error code")
    return code


Code = Annotated[int, AfterValidator(_known)]


class ApiFailure(NextCalls):
    """The next calls end with this code; `extras` join the error object.

    14, 17 and 24 bring the fields of contract §1 by themselves, and a call that carries the answer
    (`captcha_key` or `success_token`, `confirm=1`) passes.
    """

    code: Code = 1
    tail: str = ""
    extras: dict[str, Any] = Field(default_factory=dict)


class BadToken(BaseModel):
    """How the token is refused until the switch is turned off (§2): 5, 27 revoked, 1117 expired."""

    model_config = ConfigDict(extra="forbid")
    mode: Annotated[Literal["5", "27", "1117"], BeforeValidator(lambda value: str(value))] = "5"


def _mode(value: object) -> object:
    if not value:
        return None
    if value is True:
        return {}
    return {"mode": value} if isinstance(value, int | str) else value


def _failure(value: object) -> object:
    """A bare number is a code, for one call; nothing, 0 and false mean off."""
    if not value:
        return None
    return {"code": value} if isinstance(value, int | str) else value


class VkFaults(Faults):
    """`rate_limit` is error 6 (VK has no 429 and no Retry-After); `error` is a 5xx page of VK's front.

    - `api_error`: an error code of §2 for the next calls.  `captcha_without_picture`: §1, since Aug 2026.
    - `peers`: an error code for each customer or chat named (900, 902, 917, 950, ...), shown in
      `can_write` too; 900 also stops the customer from writing, 18 and 37 show in `users.get`.
    - `closed_window`: 950 for everybody who has written so far, until they write again.
    - `missing_permissions`: the key lacks these scopes (7).  `bots_off`: 912 for keyboards and templates.
    - `servers_failed`: the servers are `failed` (§4.2) until confirmed again; `unsubscribed`: they are gone.
      Both happen once, when the switch is set.
    - `wrong_secret`, `wrong_group`: events that did not come from this community.
    - `empty_upload`: the upload is answered, but with nothing in it (§3.4).
    - `string_payload`: `message_event` with its payload as a string (§4.3).
    - `delete_as_map`: the old answer of `messages.delete` (§3.3).
    """

    expired_token: Annotated[BadToken | None, BeforeValidator(_mode)] = None
    api_error: Annotated[ApiFailure | None, BeforeValidator(_failure)] = None
    captcha_without_picture: bool = False
    peers: dict[str, Code] = Field(default_factory=dict)
    closed_window: bool = False
    missing_permissions: list[Literal["messages", "photos", "docs", "manage"]] = Field(default_factory=list)
    bots_off: bool = False
    servers_failed: bool = False
    unsubscribed: bool = False
    wrong_secret: bool = False
    wrong_group: bool = False
    empty_upload: bool = False
    string_payload: bool = False
    delete_as_map: bool = False
