"""Start the orchestrator: settings -> connections -> loops and hub -> serve."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from starlette.applications import Starlette

from core.app import build_app
from core.auth import KeyRing
from core.clock import SystemClock
from core.connections import redis_client
from core.keys import Keys
from core.observability import configure_logging
from core.registry import service
from core.serve import serve
from core.settings import ServiceSettings, load, secret_texts
from orchestrator.app import Orchestrator
from orchestrator.channels import Channels, channels_client
from orchestrator.settings import OrchestratorSettings, channel_urls
from orchestrator.store.pool import new_pool


def main() -> None:
    """Run until told to stop."""
    common, own = load(ServiceSettings, OrchestratorSettings)
    configure_logging(
        "orchestrator",
        level=common.log_level,
        console=common.log_format == "console",
        secrets=[*secret_texts(common), *secret_texts(own)],
    )
    serve(lambda: _app(common, own), common, port=service("orchestrator").port)


def _app(common: ServiceSettings, own: OrchestratorSettings) -> Starlette:
    redis = redis_client(common)
    pool = new_pool(own.database_url.get_secret_value(), connections=own.database_connections)
    http = channels_client(own.channel_api_key.get_secret_value())
    orchestrator = Orchestrator(
        own,
        redis=redis,
        pool=pool,
        channels=Channels(channel_urls(own), http),
        clock=SystemClock(),
        keys=Keys(common.redis_prefix),
    )

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        async with redis, http, pool, orchestrator.running():
            yield

    parts = orchestrator.parts(KeyRing.parse(common.api_keys), allowed_hosts=common.allowed_hosts)
    return build_app(replace(parts, lifespan=lifespan))


if __name__ == "__main__":
    main()
