"""Settings of cases and of take-over: how long things last."""

from datetime import timedelta

from pydantic import Field

from core.settings import EnvironmentSettings
from orchestrator.rules import Rules

_DAY = 24 * 3600.0
_LONGEST = 3650 * _DAY


class TakeoverSettings(EnvironmentSettings):
    """Times are seconds. A part of the orchestrator's settings."""

    reopen_seconds: float = Field(
        default=3 * _DAY, ge=0, le=_LONGEST, description="a message so soon after its end reopens an appeal"
    )
    auto_close_seconds: float = Field(
        default=14 * _DAY, ge=0, le=_LONGEST, description="an appeal at rest for so long is closed; 0: never"
    )
    operator_pause_seconds: float = Field(
        default=1800.0,
        gt=0,
        le=_LONGEST,
        description="the AI is silent so long after an operator's last word in a conversation",
    )
    hand_off_seconds: float = Field(
        default=_DAY,
        ge=0,
        le=_LONGEST,
        description="a conversation that an agent handed off comes back then; 0: when an operator resumes it",
    )

    @property
    def rules(self) -> Rules:
        """The same as times; 0 means never."""
        return Rules(
            reopen_within=timedelta(seconds=self.reopen_seconds),
            auto_close_after=_or_never(self.auto_close_seconds),
            operator_pause=timedelta(seconds=self.operator_pause_seconds),
            hand_off_pause=_or_never(self.hand_off_seconds),
        )


def _or_never(seconds: float) -> timedelta | None:
    return timedelta(seconds=seconds) if seconds else None
