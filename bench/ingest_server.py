"""`python -m bench.ingest_server PORT KIND REDIS_URL FOLDER`: a webhook's path, whole or in part.

floor: a Starlette route that reads the body. without_redis: the real route and inbox, whose Redis answers at
once and keeps nothing. real: the channel as it is served.
"""

import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import cast

from pydantic import SecretStr
from redis.asyncio import Redis
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core.app import build_app
from core.channel_service import ChannelService
from core.ids import DEFAULT_ACCOUNT
from core.inbox import Inbox
from core.keys import Keys
from core.observability import configure_logging
from core.registry import service
from core.serve import serve
from core.settings import ServiceSettings
from core.spool import Spool
from core.webhook import webhook_routes
from mcp_avito.__main__ import open_account
from mcp_avito.channel import AvitoChannel
from mcp_avito.client import AvitoClient
from mcp_avito.settings import AvitoSettings

LAST_SEGMENT = "opens-nothing-but-the-bench"
_NOBODY = "http://127.0.0.1:9"
_ACCOUNT = AvitoSettings(
    client_id="bench",
    client_secret=SecretStr("bench-client-secret"),
    webhook_secret=SecretStr(LAST_SEGMENT),
    base_url=_NOBODY,
)


class _Nowhere:
    """In the place of Redis: says of every arrival that it is queued, and keeps none."""

    def register_script(self, _: str) -> Callable[..., Awaitable[list[int]]]:
        async def answer(keys: Sequence[str], args: Sequence[str]) -> list[int]:  # the script's names
            return [0] * (len(keys) - 1)

        return answer


class _Unburied:
    """No body of the bench is unreadable."""

    async def bury(self, *_: object) -> None:
        """Nothing."""


def _floor() -> Starlette:
    async def receive(request: Request) -> Response:
        await request.body()
        return Response(b'{"ok":true}', media_type="application/json")

    return Starlette(routes=[Route("/webhook/avito/{account}/{secret}", receive, methods=["POST"])])


def _real(settings: ServiceSettings) -> Starlette:
    return build_app(_made(settings).parts())


def _without_redis(settings: ServiceSettings) -> Starlette:
    inbox = Inbox(cast("Redis", _Nowhere()), Keys(), Spool(Path(settings.spool_dir) / "bench.sqlite"))
    channel = AvitoChannel(AvitoClient(_ACCOUNT), _ACCOUNT, account=DEFAULT_ACCOUNT)
    routes = webhook_routes("avito", {DEFAULT_ACCOUNT: channel}, inbox, _Unburied())
    parts = _made(settings).parts(intake=False)

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        async with parts.lifespan(), inbox.run():
            yield

    return build_app(replace(parts, public_routes=routes, lifespan=lifespan))


def _made(settings: ServiceSettings) -> ChannelService[AvitoSettings, AvitoChannel]:
    accounts = {DEFAULT_ACCOUNT: _ACCOUNT}
    return ChannelService(service("mcp_avito"), settings, accounts, open_account, lambda _: [])


def main() -> None:
    """Serve until killed."""
    configure_logging("bench", level="INFO", console=False, secrets=[LAST_SEGMENT])
    port, kind, redis_url, folder = sys.argv[1:5]
    settings = ServiceSettings(
        port=int(port),
        redis_url=SecretStr(redis_url),
        api_keys=SecretStr("bench=bench-key-0123456789abcdef"),
        spool_dir=str(Path(folder) / kind),
        sweep_seconds=0,
        watch_seconds=3600,
    )
    made = {
        "floor": _floor,
        "real": lambda: _real(settings),
        "without_redis": lambda: _without_redis(settings),
    }
    serve(made[kind], settings, port=int(port))


if __name__ == "__main__":
    main()
