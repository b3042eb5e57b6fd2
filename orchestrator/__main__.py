"""Start the orchestrator: settings -> connections -> loops and hub -> serve (HTTP; stdio: the hub alone)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from core.app import ServiceParts, build_app
from core.auth import KeyRing
from core.clock import SystemClock
from core.connections import redis_client
from core.keys import Keys
from core.mcp_fixtures import fixtures_of
from core.oauth import tokens_of
from core.observability import configure_logging
from core.registry import service
from core.serve import serve, serve_stdio, stdio_wanted
from core.settings import ServiceSettings, load, secret_texts
from core.state_keys import state_keys
from orchestrator.app import Orchestrator
from orchestrator.channels import Channels, channels_client
from orchestrator.settings import OrchestratorSettings, channel_urls
from orchestrator.store.pool import new_pool


def main() -> None:
    """Run until told to stop. On stdio only the hub's tools: an orchestrator elsewhere has the loops."""
    stdio = stdio_wanted("orchestrator")
    common, own = load(ServiceSettings, OrchestratorSettings)
    configure_logging(
        "orchestrator",
        level=common.log_level,
        console=common.log_format == "console",
        secrets=[*secret_texts(common), *secret_texts(own)],
    )
    if stdio:
        serve_stdio(lambda: _parts(common, own, loops=False), common)
    else:
        serve(lambda: build_app(_parts(common, own)), common, port=service("orchestrator").port)


def _parts(common: ServiceSettings, own: OrchestratorSettings, *, loops: bool = True) -> ServiceParts:
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
        async with redis, http, pool, orchestrator.running() if loops else orchestrator.answering():
            yield

    seals = state_keys(common.mcp_state_keys, common.api_keys)
    ring = KeyRing.parse(common.api_keys)
    parts = orchestrator.parts(ring, allowed_hosts=common.allowed_hosts, state_keys=seals)
    return replace(
        parts,
        lifespan=lifespan,
        profile=common.mcp_profile,
        tokens=tokens_of(common, common.public_url, SystemClock()),
        fixtures=fixtures_of(common.mcp_fixtures),
    )


if __name__ == "__main__":
    main()
