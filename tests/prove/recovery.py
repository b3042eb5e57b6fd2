"""After whatever happened: everybody is well, the messengers deliver what is left, agents answer all."""

from core.keys import Keys
from tests.prove.world import LONG, World

_ROUNDS = 30
_UNFINISHED = """
SELECT (SELECT count(*) FROM turns WHERE status IN ('ready', 'leased'))
    + (SELECT count(*) FROM outbound WHERE given_up_at IS NULL
        AND state IN ('scheduled', 'queued', 'sending', 'unknown'))
"""


async def recover(world: World) -> None:
    """Until nothing is left to do. AssertionError when that never comes."""
    world.stage.redis.come_back()
    for one in world.messengers.values():
        one.recover()
    for _ in range(_ROUNDS):
        await _deliver_all(world)
        await _all_is_gathered_in_time(world)
        await _answer_all(world)
        if await _is_quiet(world):
            return
    raise AssertionError(f"no-loss: something is left after {_ROUNDS} rounds of work")


async def _deliver_all(world: World) -> None:
    await world.revive()
    await world.deliver(world.oracle.undelivered())
    for house, one in world.messengers.items():
        while one.echoes:
            await world.deliver_echo(house)
    await world.revive()


async def _all_is_gathered_in_time(world: World) -> None:
    """A worker lives, so nothing may wait longer than the longest wait, and a dead one's lease."""
    await world.do(0, lambda hub: hub.collect(hub.incoming), None)
    await world.stage.pass_time(LONG)
    await world.do(0, lambda hub: hub.work(), None)
    waiting, homeless = await world.stage.redis.survey(Keys().incoming)
    assert not homeless, f"no-loss: nobody will ever look at {homeless}"
    assert waiting == 0, f"bound: {waiting} messages still wait after {LONG} s"


async def _answer_all(world: World) -> None:
    for answer in world.agents.in_doubt():
        await world.finish(0, answer)
    while hand := await world.take_turn(0):
        for _ in range(9):
            answer = world.agents.answer(hand)
            await world.finish(0, answer)
            if answer.outcome != "superseded":
                break
    await world.do(0, lambda hub: hub.work(), None)


async def _is_quiet(world: World) -> bool:
    stage = world.stage
    waiting = [
        (await stage.redis.survey(keys))[0] for keys in (Keys().incoming, Keys().outgoing, Keys().tickets)
    ]
    left = await stage.pool.fetchval(_UNFINISHED)
    echoes = any(one.echoes for one in world.messengers.values())
    return not any(waiting) and left == 0 and not world.oracle.undelivered() and not echoes
