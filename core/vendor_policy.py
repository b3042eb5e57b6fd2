"""How an account talks to its vendor, from its settings: what is alike for all vendors."""

from collections.abc import Mapping, Sequence

from core.http import Policy
from core.settings import secret_texts
from core.transports import Describe
from core.vendor_settings import VendorSettings


def vendor_policy(
    channel: str,
    settings: VendorSettings,
    *,
    describe: Describe,
    apart: Mapping[str, tuple[float, int]] | None = None,
    secrets: Sequence[str] = (),
) -> Policy:
    """Every secret of the settings stays out of error texts, and so do `secrets` made from them."""
    return Policy(
        channel=channel,
        rate=settings.requests_per_second,
        burst=settings.burst,
        apart=apart or {},
        timeout=settings.timeout_seconds,
        proxy=settings.proxy.get_secret_value(),
        ca_bundle=settings.ca_bundle,
        describe=describe,
        secrets=(*secret_texts(settings), *secrets),
    )
