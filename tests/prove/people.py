"""Clients are merged, separated and forgotten by an operator."""

from collections.abc import Iterator

from tests.prove.facts import Facts, place_of
from tests.prove.fuse import Cut
from tests.prove.leftovers import leftovers
from tests.prove.letters import kept_letters
from tests.prove.messenger import Place
from tests.prove.world import World

_HANDLES = "SELECT client_id, channel, account, external_user_id FROM identities ORDER BY id"
_STANDING = "SELECT id, winner_id, loser_id FROM client_merges WHERE undone_at IS NULL ORDER BY id"
_WORDS = "SELECT text FROM outbound WHERE channel = $1 AND account = $2 AND external_chat_id = $3"


async def merge(world: World, number: int, pair: tuple[Place, Place], cut: Cut | None) -> None:
    """The clients of two places become one."""
    await _look(world)
    owners = world.oracle.owners()
    winner, loser = (owners.get(place, 0) for place in pair)
    if not winner or not loser or winner == loser:
        return
    given = {"winner_id": str(winner), "loser_id": str(loser)}
    told = await world.do(number, lambda hub: hub.order("merge_clients", **given), cut)
    world.oracle.merged = True
    await _note_merges(world)
    stands = (winner, loser) in world.oracle.merges.values()
    assert told is None or stands, f"merge: {winner} and {loser} were told to be one"


async def separate(world: World, number: int, cut: Cut | None) -> None:
    """The latest merge is undone."""
    await _look(world)
    if not world.oracle.merges:
        return
    latest = max(world.oracle.merges)
    told = await world.do(number, lambda hub: hub.order("unmerge_clients", merge_id=str(latest)), cut)
    await _note_merges(world)
    assert told is None or latest not in world.oracle.merges, f"merge: {latest} was told to be undone"


async def erase(world: World, number: int, which: int, cut: Cut | None) -> None:
    """Forget a client; an operator whose call broke off asks again. Nothing that they said is left then."""
    await _look(world)
    await world.stage.pass_time(2)  # what was said before is older than the erasure
    owners = world.oracle.owners()
    if not owners:
        return
    client = sorted(set(owners.values()))[which % len(set(owners.values()))]
    places = {place for place, owner in owners.items() if owner == client}
    words = {row["text"] for place in places for row in await world.stage.pool.fetch(_WORDS, *place)}
    given = {"client_id": str(client), "confirm": str(client)}
    told = await world.do(number, lambda hub: hub.order("erase_client", **given), cut)
    told = told or await world.do(number, lambda hub: hub.order("erase_client", **given), None)
    assert told is not None, f"erase: {client} cannot be erased"
    known = set(world.oracle.gone)
    await _forget(world, places, words)
    left = await leftovers(world, places, [event for event in world.oracle.gone if event not in known])
    assert not left, f"erase: of {places} is left {left}"


async def _look(world: World) -> None:
    """Which handle began as which client."""
    for row in await world.stage.pool.fetch(_HANDLES):
        place: Place = (row["channel"], row["account"], row["external_user_id"].removeprefix("user of "))
        world.oracle.born.setdefault(place, row["client_id"])
    await _note_merges(world)


async def _note_merges(world: World) -> None:
    rows = await world.stage.pool.fetch(_STANDING)
    world.oracle.merges = {row["id"]: (row["winner_id"], row["loser_id"]) for row in rows}


async def _forget(world: World, places: set[Place], words: set[str]) -> None:
    """What is expected of the client's words from now on: nothing."""
    oracle = world.oracle
    oracle.forget(places, words)
    await _note_merges(world)
    for place in places:
        taken = world.messengers[place[:2]].taken
        oracle.shown[place] = sum(posted.chat_id == place[2] for posted in taken)
    for row in await world.stage.pool.fetch("SELECT id FROM bulks"):
        oracle.unbulked |= {(str(row["id"]), place) for place in places}
    oracle.forget_letters((await kept_letters(world.stage)).keys(), places)


def everybody_is_who_they_are(facts: Facts) -> Iterator[str]:
    """Each handle, and all that is said there, belongs to the client that the merges have made of it."""
    owners = facts.oracle.owners()
    for row in facts.handles:
        place: Place = (row["channel"], row["account"], row["external_user_id"].removeprefix("user of "))
        if row["client_id"] != owners.get(place, row["client_id"]):
            yield f"merge: {place} is client {row['client_id']}, expected {owners[place]}"
    for row in (*facts.history, *facts.turns.values(), *facts.outbound):
        expected = owners.get(place_of(row), row["client_id"])
        if row["client_id"] not in (None, expected):
            yield f"merge: {row['id']} of {place_of(row)} is with {row['client_id']}, expected {expected}"


CHECKS = (everybody_is_who_they_are,)
