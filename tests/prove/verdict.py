"""All promises at once: recovered, then asked."""

from tests.prove import bulks, cases, checks_in, checks_letters, checks_out, people
from tests.prove.balance import balance
from tests.prove.facts import gathered
from tests.prove.recovery import recover
from tests.prove.world import World

_CHECKS = (
    *checks_in.CHECKS,
    *checks_out.CHECKS,
    *checks_letters.CHECKS,
    *bulks.CHECKS,
    *cases.CHECKS,
    *people.CHECKS,
)


async def hold_to_the_promises(world: World) -> None:
    """Let everything come to rest; AssertionError lists what is broken, a promise a line.

    What is lost and doubled is counted first, so that a broken promise shows in the figures.
    """
    await recover(world)
    facts = await gathered(world)
    world.stage.tally.add(examples=1, **balance(facts))
    wrong = [said for check in _CHECKS for said in check(facts)]
    assert not wrong, "\n".join(wrong)
