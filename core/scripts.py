"""Lua scripts of the engine: read from core/lua, registered under their hash with the client."""

from importlib.resources import files

from redis.asyncio import Redis
from redis.commands.core import AsyncScript


def load_script(redis: Redis, *names: str) -> AsyncScript:
    """One script made of core/lua/{name}.lua in this order; the last one is its body."""
    folder = files("core") / "lua"
    return redis.register_script("\n".join((folder / f"{name}.lua").read_text("utf-8") for name in names))
