"""What the contract suite needs of a vendor's side: one small class per channel, listed in `SIDES`."""

from collections.abc import Callable
from typing import Any, Protocol

import pytest

from core.channel import Channel, Normalized, WebhookRequest
from core.errors import ChannelError
from tests.contract.avito_side import AvitoSide
from tests.contract.fake_time import FakeTime
from tests.contract.instagram_side import InstagramSide
from tests.contract.max_side import MaxSide
from tests.contract.telegram_side import TelegramSide
from tests.contract.vk_side import VkSide
from tests.contract.whatsapp_side import WhatsAppSide


class VendorSide(Protocol):
    """A vendor in memory, with the real channel in front of it and time that does not pass by itself.

    `secrets` are strings that must appear in no error and no log line. `taken` lists what reached the
    customer as (chat id, text).

    chats        valid chat ids, at least four, in the hardest forms that the vendor has
    bad_chats    ids that must reach nobody
    expiries     ways in which it says that a token expired, where a fresh one helps
    has_plan     whether the API is part of a paid plan
    echoes       whether it pushes our own sends back
    tells_wait   whether its 429 names the seconds
    refusals     (label, HTTP status, body, error) of everything that a send can be refused with
    """

    chats: tuple[str, ...]
    bad_chats: tuple[str, ...]
    expiries: tuple[str, ...]
    has_plan: bool
    echoes: bool
    tells_wait: bool
    refusals: tuple[tuple[str, int, Any, type[ChannelError]], ...]

    time: FakeTime
    taken: list[tuple[str, str]]
    slept: list[float]
    tokens_issued: int

    @property
    def channel(self) -> Channel: ...
    @property
    def secrets(self) -> tuple[str, ...]: ...

    def push(self, text: str, *, chat_id: str, own: bool = False) -> Any: ...
    def push_typing(self, *, chat_id: str) -> Any:
        """The customer types; None where the vendor does not tell."""

    def push_of_unknown_kind(self) -> Any: ...
    def push_of(self, message_id: str) -> Any:
        """The echo of a message that was sent."""

    def webhook(self, body: bytes, *, authentic: bool) -> WebhookRequest: ...
    def meaning_of(self, body: Any) -> Normalized:
        """What a file of tests/payloads means, with the account and fingerprints that its pair expects."""

    def expire_token(self, how: str) -> None: ...
    def refuse_credentials(self) -> None: ...
    def limit_rate(self, retry_after: float) -> None:
        """The next request is answered with "too many"."""

    def answer_next(self, status: int, body: Any) -> None:
        """The next send is answered with this, and not carried out."""

    def lose_answers(self, how: str) -> None:
        """Requests are carried out, but the answer is: timeout, reset, 502."""

    def close_door(self) -> None:
        """Nobody listens: connections are refused."""

    def end_plan(self) -> None: ...


SIDES: dict[str, type[Any]] = {
    "avito": AvitoSide,
    "instagram": InstagramSide,
    "max": MaxSide,
    "telegram": TelegramSide,
    "vk": VkSide,
    "whatsapp": WhatsAppSide,
}


def each(attribute: str) -> list[Any]:
    """(channel, item) for every item of a side's table, to run one case per row."""
    return [(name, item) for name, side in sorted(SIDES.items()) for item in getattr(side, attribute)]


def those_with(feature: str | type[Any]) -> pytest.MarkDecorator:
    """Marks a test for the vendors that have it: an attribute of the side, or a part of the channel."""
    return _those(lambda side: _has(side, feature))


def those_without(feature: str | type[Any]) -> pytest.MarkDecorator:
    """Marks a test for the others."""
    return _those(lambda side: not _has(side, feature))


def those_that_push_their_own() -> pytest.MarkDecorator:
    """Marks a test for the vendors that push what the account itself wrote."""
    return _those(lambda side: bool(side.push("x", chat_id=side.chats[0], own=True)))


def those_that_push_typing() -> pytest.MarkDecorator:
    """Marks a test for the vendors that tell when a customer types."""
    return _those(lambda side: bool(side.push_typing(chat_id=side.chats[0])))


def _those(wanted: Callable[[VendorSide], bool]) -> pytest.MarkDecorator:
    names = [name for name, side in sorted(SIDES.items()) if wanted(side())]
    return pytest.mark.parametrize("vendor", names, indirect=True)


def _has(side: VendorSide, feature: str | type[Any]) -> bool:
    return bool(getattr(side, feature)) if isinstance(feature, str) else isinstance(side.channel, feature)
