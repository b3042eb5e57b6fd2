"""The vendors that are simulated only when their credentials are given."""

from collections.abc import Callable
from functools import partial
from typing import Any

from sandbox.instagram import settings as instagram
from sandbox.instagram.vendor import InstagramVendor
from sandbox.max import settings as max_messenger
from sandbox.max.vendor import MaxVendor
from sandbox.telegram import settings as telegram
from sandbox.telegram.vendor import TelegramVendor
from sandbox.vendor import Bench, Vendor
from sandbox.vk import settings as vk
from sandbox.vk.vendor import VkVendor
from sandbox.whatsapp import settings as whatsapp
from sandbox.whatsapp.vendor import WhatsAppVendor

_VENDORS: tuple[tuple[Callable[[], Any], Callable[[Any, Bench], Vendor]], ...] = (
    (instagram.from_environment, InstagramVendor),
    (max_messenger.from_environment, MaxVendor),
    (telegram.from_environment, TelegramVendor),
    (vk.from_environment, VkVendor),
    (whatsapp.from_environment, WhatsAppVendor),
)


def more_vendors() -> list[Callable[[Bench], Vendor]]:
    """Each needs a bench yet. Raises SettingsError when a vendor's settings are incomplete."""
    found = [(read(), make) for read, make in _VENDORS]
    return [partial(make, settings) for settings, make in found if settings is not None]
