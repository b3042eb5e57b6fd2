"""Dead letters at the hub: found, shown, mended, replayed, purged."""

from redis.asyncio import Redis

from core.clock import Clock
from core.keys import Keys
from core.letter_search import HeadPage, LetterSearch, Sought


class Letters:
    """The dead letters of all doors."""

    def __init__(self, redis: Redis, keys: Keys, *, clock: Clock) -> None:
        self._clock = clock
        self._search = LetterSearch(redis, keys)

    async def page(self, sought: Sought, *, limit: int, cursor: str) -> HeadPage:
        """The newest first."""
        return await self._search.page(sought, limit=limit, cursor=cursor)
