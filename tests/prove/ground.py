"""What every rule of the machine stands on: the world, who acts where, and which awaits may be cut."""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize

from tests.prove.fuse import Cut
from tests.prove.hub_process import HubProcess
from tests.prove.messenger import AVITO, HOUSES, MOODS, SECOND_AVITO, TELEGRAM, VK, House, Mood, Place
from tests.prove.stage import Stage
from tests.prove.verdict import hold_to_the_promises
from tests.prove.world import World

#: Two accounts share a chat id, and so do two channels.
PLACES: tuple[Place, ...] = (
    (*AVITO, "чат 1"),
    (*AVITO, "чат 2"),
    (*SECOND_AVITO, "чат 1"),
    (*VK, "чат 1"),
    (*TELEGRAM, "7"),
)
TELEGRAMS = PLACES[-1]
WHERE = st.sampled_from(PLACES)
HOUSE: st.SearchStrategy[House] = st.sampled_from(HOUSES)
WHO = st.integers(0, 1)
ANY = st.integers(0, 50)
MOOD: st.SearchStrategy[Mood] = st.sampled_from(sorted(MOODS))
WHEN = st.sampled_from(["before", "after"])
WHAT = st.sampled_from(["kill", "kill", "lose", "stall"])


def cuts(awaits: int, what: st.SearchStrategy[str] = WHAT) -> st.SearchStrategy[Cut | None]:
    """None, or a cut at one of so many awaits."""
    some = st.builds(Cut, st.integers(0, awaits - 1), WHEN, what)
    return st.one_of(st.none(), some, some, some)


#: Of a channel: it is not stalled. A vendor's call that goes on after the lease of its send cannot be fenced.
LINE = cuts(8, st.sampled_from(["kill", "lose"]))
FEW, SOME, MANY = cuts(3), cuts(15), cuts(60)


def only_when(there_is: Callable[[Any], object]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A rule that finds nothing to do does nothing.

    No precondition of hypothesis: whether there is something may hang on which task was faster, and what is
    drawn must follow from the draws alone, or a history cannot be lived again.
    """

    def decorate(rule: Callable[..., None]) -> Callable[..., None]:
        @wraps(rule)
        def live(self: Any, *drawn: Any, **named: Any) -> None:
            if there_is(self):
                rule(self, *drawn, **named)

        return live

    return decorate


class Ground(RuleBasedStateMachine):
    """`stage` is set by who runs it. `IN_FLIGHT` is drawn: how a deployment treats who writes on."""

    stage: ClassVar[Stage]

    @initialize(collects=st.booleans())
    def open(self, collects: bool) -> None:
        self.world = World(self.stage, collects=collects)
        self.run(self.stage.reset())

    def run(self, work: Any) -> Any:
        self.stage.tally.add(steps=1)
        return self.stage.run(work)

    def do(self, who: int, work: Callable[[HubProcess], Awaitable[Any]], cut: Cut | None) -> None:
        self.run(self.world.do(who, work, cut))

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        try:
            self.stage.run(hold_to_the_promises(self.world))
        finally:
            self.stage.redis.come_back()
            self.stage.run(self.world.end())
