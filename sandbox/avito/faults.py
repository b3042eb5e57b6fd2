"""Avito's own switches, beside the shared ones."""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from sandbox.faults import Faults


def _mode(value: object) -> object:
    """A bare mode, number or word, stands for the whole switch; true is 403, nothing and false mean off."""
    if not value:
        return None
    if value is True:
        return {"mode": "403"}
    return {"mode": value} if isinstance(value, int | str) else value


class ExpiredToken(BaseModel):
    """How an expired token is answered; `sticky` refuses fresh tokens too.

    The status of the `result` shape is unknown (contract §2.3): 403 unless `status` says otherwise.
    """

    model_config = ConfigDict(extra="forbid")
    mode: Annotated[Literal["401", "403", "result"], BeforeValidator(lambda value: str(value))]
    status: int = Field(default=403, ge=200, le=599)
    sticky: bool = False


class AvitoFaults(Faults):
    """`plan`: 402 on every messenger path; `bare_array`: the other shape of the message list (§3.4)."""

    expired_token: Annotated[ExpiredToken | None, BeforeValidator(_mode)] = None
    token_error_as_200: bool = False
    plan: bool = False
    bare_array: bool = False
    clamp_limit: bool = False
    late_delete_status: Literal[400, 404] = 400
