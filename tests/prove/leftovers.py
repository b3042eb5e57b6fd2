"""What is left of a client: every row of PostgreSQL and every value of Redis is searched for their words."""

import re
from collections.abc import Sequence

from orchestrator.redis_parts import parts_of
from orchestrator.store.catalogue import tables
from tests.prove.messenger import Place
from tests.prove.oracle import Event
from tests.prove.world import World


async def leftovers(world: World, places: set[Place], events: Sequence[Event]) -> list[str]:
    """Where any of the events stands, or anything that we said in these places.

    An event of before an earlier erasure may be delivered once more: its id is remembered then, as a repeat.
    """
    said = {event.target for event in events if event.text}
    named = {f"to {' '.join(place)}" for place in places}
    words = "|".join(rf"\m{re.escape(one)}\M" for one in sorted(said | named))
    found = []
    for name in await tables(world.stage.pool):
        query = f"SELECT t::text FROM {name} AS t WHERE t::text ~ $1"  # noqa: S608  # names of our own tables
        found += [f"{name} {row[0]}" for row in await world.stage.pool.fetch(query, words)]
    pattern = re.compile(words.replace(r"\m", r"\b").replace(r"\M", r"\b").encode())
    async for key in world.stage.redis.client.scan_iter():
        texts = [key, *(text for _, text in await parts_of(world.stage.redis.client, key.decode()))]
        found += [f"redis {key!r} {text!r}" for text in texts if pattern.search(text)]
    return found
