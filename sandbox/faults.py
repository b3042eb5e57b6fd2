"""Switches that make a vendor misbehave; shared by all vendors, extended by each."""

from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, NonNegativeFloat, NonNegativeInt

from sandbox.answers import parse, refuse


def counted(value: object) -> object:
    """A bare number N means "the next N calls"; nothing, 0 and false mean off."""
    if not value:
        return None
    return {"calls": int(value)} if isinstance(value, int) else value


class NextCalls(BaseModel):
    """The next `calls` API calls whose path contains `path` (empty: any but the token request)."""

    model_config = ConfigDict(extra="forbid")
    calls: NonNegativeInt = 1
    path: str = ""

    def spend(self, path: str) -> bool:
        """Whether this call is one of them; counts it."""
        aimed = self.path in path if self.path else not path.rstrip("/").endswith("/token")
        if not aimed or self.calls == 0:
            return False
        self.calls -= 1
        return True


class RateLimit(NextCalls):
    """429, with `Retry-After` unless it is null."""

    retry_after: NonNegativeFloat | None = 1


class Failing(NextCalls):
    status: int = Field(default=500, ge=400, le=599)


class Faults(BaseModel):
    """All off by default. `slow` and `delay` are seconds; `duplicate` is how often a webhook is delivered.

    `hold` keeps webhooks back until it is switched off.
    """

    model_config = ConfigDict(extra="forbid")
    rate_limit: Annotated[RateLimit | None, BeforeValidator(counted)] = None
    error: Annotated[Failing | None, BeforeValidator(lambda value: value or None)] = None
    slow: NonNegativeFloat = 0
    drop_after_storing: NonNegativeInt = 0
    duplicate: int = Field(default=1, ge=1, le=100)
    reorder: bool = False
    delay: NonNegativeFloat = 0
    hold: bool = False
    silent_webhook: bool = False


F = TypeVar("F", bound=Faults)


class Switchboard(Generic[F]):
    """The switches of one vendor as they stand now."""

    def __init__(self, kind: type[F]) -> None:
        self._kind = kind
        self.now: F = kind()

    def set(self, given: dict[str, Any]) -> None:
        """Change the given switches and leave the others; 422 names an unknown one."""
        known = self._kind.model_fields
        unknown = sorted(set(given) - set(known))
        if unknown:
            refuse(422, f"unknown switch: {', '.join(unknown)}; the switches are {', '.join(sorted(known))}")
        self.now = parse(self._kind, {**self.now.model_dump(), **given})

    def reset(self) -> None:
        self.now = self._kind()

    def spend_drop(self) -> bool:
        """Whether this send is stored and then loses its answer; counts it."""
        if self.now.drop_after_storing == 0:
            return False
        self.now.drop_after_storing -= 1
        return True
