"""The Redis of the model: it may be away, and time passes for its keys when the test says so."""

import asyncio
from typing import Any

from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

#: Time passes for what Redis measures itself.
_AGE = """
for _, key in ipairs(redis.call('KEYS', '*')) do
  local left = redis.call('PTTL', key)
  if left >= 0 then
    redis.call('PEXPIRE', key, left - ARGV[1]) -- what has no time left is deleted
  end
end
"""
#: What lies in the lists of an engine, and the chats that nobody would ever look at again.
_SURVEY = """
local items, deadlines, pending, source, taken = unpack(KEYS)
local count = redis.call('LLEN', source) + redis.call('LLEN', taken)
local homeless, waiting = {}, {}
for _, member in ipairs(redis.call('LRANGE', pending, 0, -1)) do waiting[member] = true end
for _, key in ipairs(redis.call('KEYS', items .. '*')) do
  local member = string.sub(key, #items + 1)
  count = count + redis.call('LLEN', key)
  local due = waiting[member] or redis.call('ZSCORE', deadlines, member)
  if not due then homeless[#homeless + 1] = member end
end
return { count, homeless }
"""


class RedisServer:
    """One logical database, and the connections that all processes share."""

    def __init__(self, url: str) -> None:
        self.pool = ConnectionPool.from_url(url, retry=Retry(NoBackoff(), 0))
        self.client = Redis(connection_pool=self.pool)
        self.is_back = asyncio.Event()
        self.is_back.set()

    @property
    def away(self) -> bool:
        """Whether it does not answer."""
        return not self.is_back.is_set()

    def go_away(self) -> None:
        """Refuse everybody."""
        self.is_back.clear()

    def come_back(self) -> None:
        """Answer again; nothing was lost (it writes an append-only file)."""
        self.is_back.set()

    async def age(self, ms: int) -> None:
        """So much time passes for every key that expires."""
        await self.client.eval(_AGE, 0, ms)

    async def survey(self, keys: Any) -> tuple[int, set[str]]:
        """Of an engine: how many messages lie in it, and the chats without a deadline."""
        names = (keys.items, keys.deadlines, keys.pending, keys.source, keys.taken)
        count, homeless = await self.client.eval(_SURVEY, len(names), *names)
        return count, {name.decode(errors="replace") for name in homeless}

    async def clear(self) -> None:
        """Forget everything."""
        self.come_back()
        await self.client.flushdb()

    async def close(self) -> None:
        """End the connections."""
        await self.client.aclose()
        await self.pool.aclose()
