"""What the contract suite needs of a vendor's side: one small class per channel, listed in `SIDES`."""

from typing import Any, Protocol

from core.channel import Channel, WebhookRequest
from tests.contract.avito_side import AvitoSide


class VendorSide(Protocol):
    """A vendor in memory, with the real channel in front of it and time that does not pass by itself.

    `secrets` are strings that must appear in no error and no log line. `taken` lists what reached the vendor
    as (chat id, text). The class attribute `expiries` names the ways in which it says that a token expired.
    """

    taken: list[tuple[str, str]]
    slept: list[float]
    tokens_issued: int

    @property
    def channel(self) -> Channel: ...
    @property
    def secrets(self) -> tuple[str, ...]: ...

    def push(self, text: str, *, chat_id: str, own: bool = False) -> Any: ...
    def push_of_unknown_kind(self) -> Any: ...
    def push_of(self, message_id: str) -> Any:
        """The echo of a message that was sent."""

    def webhook(self, body: bytes, *, authentic: bool) -> WebhookRequest: ...
    def expire_token(self, how: str) -> None: ...
    def refuse_credentials(self) -> None: ...
    def limit_rate(self, retry_after: float) -> None:
        """The next request is answered with "too many"."""

    def lose_answers(self, how: str) -> None:
        """Requests are carried out, but the answer is: timeout, reset, 502."""

    def close_door(self) -> None:
        """Nobody listens: connections are refused."""

    def end_plan(self) -> None: ...


SIDES = {"avito": AvitoSide}
EXPIRIES = [(name, how) for name, side in SIDES.items() for how in side.expiries]
