"""Start the form service: settings -> inbox -> app -> serve."""

from pathlib import Path

from starlette.applications import Starlette

from core.app import build_app
from core.auth import KeyRing
from core.clock import SystemClock
from core.connections import redis_client
from core.inbox import Inbox, Pace
from core.keys import Keys
from core.observability import Metrics, configure_logging
from core.registry import service
from core.serve import serve
from core.settings import ServiceSettings, load, secret_texts
from core.spool import Spool
from form_api.app import FormDesk, service_parts
from form_api.settings import FormSettings
from form_api.spam import SharedLimit


def main() -> None:
    """Run until told to stop."""
    common, forms = load(ServiceSettings, FormSettings)
    configure_logging(
        "form_api",
        level=common.log_level,
        console=common.log_format == "console",
        secrets=secret_texts(common),
    )
    ring = KeyRing.parse(common.api_keys)
    serve(lambda: _app(common, forms, ring), common, port=service("form_api").port)


def _app(common: ServiceSettings, forms: FormSettings, ring: KeyRing) -> Starlette:
    redis, keys, clock = redis_client(common), Keys(common.redis_prefix), SystemClock()
    patience = common.redis_timeout_seconds
    limit = SharedLimit(
        redis,
        keys,
        per_minute=forms.rate_per_minute,
        burst=forms.rate_burst,
        clock=clock,
        patience=patience,
    )
    inbox = Inbox(redis, keys, Spool(Path(common.spool_dir) / "form_api.sqlite"), pace=Pace(patience))
    desk = FormDesk(forms, inbox=inbox, limit=limit, clock=clock, metrics=Metrics())
    parts = service_parts(desk, ring, connections=lambda: redis, allowed_hosts=common.allowed_hosts)
    return build_app(parts, mcp=False)


if __name__ == "__main__":
    main()
