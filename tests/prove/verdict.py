"""All promises at once: recovered, then asked."""

from tests.prove import checks_in, checks_out
from tests.prove.facts import gathered
from tests.prove.recovery import recover
from tests.prove.world import World


async def hold_to_the_promises(world: World) -> None:
    """Let everything come to rest; AssertionError lists what is broken, a promise a line."""
    await recover(world)
    facts = await gathered(world)
    wrong = [said for check in (*checks_in.CHECKS, *checks_out.CHECKS) for said in check(facts)]
    assert not wrong, "\n".join(wrong)
    await world.count()
