"""A Redis key of any type as the parts that can be taken out of it one by one."""

from collections.abc import Awaitable, Callable
from typing import Any

from redis.asyncio import Redis

#: What to take out (None: the key itself), and what stands there.
Part = tuple[bytes | None, bytes]


async def parts_of(redis: Redis, key: str) -> list[Part]:
    """The parts of a key; none of one that is gone, or of a type that holds no text."""
    client: Any = redis  # redis-py's types know nothing of a client that does not decode
    read = _READERS.get((await client.type(key)).decode())
    return await read(client, key) if read else []


async def drop_part(redis: Redis, key: str, part: bytes | None) -> int:
    """Take a part out, or the key with all of them; how many went."""
    client: Any = redis
    if part is None:
        return int(await client.delete(key))
    kind = (await client.type(key)).decode()
    if kind == "list":
        return int(await client.lrem(key, 0, part))
    drop = {"hash": client.hdel, "set": client.srem, "zset": client.zrem, "stream": client.xdel}.get(kind)
    return int(await drop(key, part)) if drop else 0


async def _string(client: Any, key: str) -> list[Part]:
    return [(None, await client.get(key) or b"")]


async def _hash(client: Any, key: str) -> list[Part]:
    return [(name, name + b" " + value) for name, value in (await client.hgetall(key)).items()]


async def _list(client: Any, key: str) -> list[Part]:
    return [(value, value) for value in await client.lrange(key, 0, -1)]


async def _set(client: Any, key: str) -> list[Part]:
    return [(value, value) for value in await client.smembers(key)]


async def _zset(client: Any, key: str) -> list[Part]:
    return [(value, value) for value in await client.zrange(key, 0, -1)]


async def _stream(client: Any, key: str) -> list[Part]:
    entries = await client.xrange(key)
    return [(name, b" ".join(part for pair in fields.items() for part in pair)) for name, fields in entries]


_READERS: dict[str, Callable[[Any, str], Awaitable[list[Part]]]] = {
    "string": _string,
    "hash": _hash,
    "list": _list,
    "set": _set,
    "zset": _zset,
    "stream": _stream,
}
