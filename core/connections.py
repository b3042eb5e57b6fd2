"""Connections that a service opens once: Redis."""

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from core.settings import ServiceSettings


def redis_client(settings: ServiceSettings) -> Redis:
    """One client per process, not yet connected. A call fails after the timeout; callers know what then."""
    return Redis.from_url(
        settings.redis_url.get_secret_value(),
        socket_timeout=settings.redis_timeout_seconds,
        socket_connect_timeout=settings.redis_timeout_seconds,
        retry=Retry(NoBackoff(), 0),
        health_check_interval=30,
        max_connections=100,
    )
