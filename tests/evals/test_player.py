"""The player: when a step is over, what counts as its answer, and what says nothing of the agent."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from evals.customer import RuleCustomer
from evals.observer import Fate
from evals.phone import Line, Shown, Written
from evals.played import Played
from evals.player import Disturbed, Pace, Player
from evals.scenario import Deed, Scenario
from evals.trials import Trials
from tests.contract.fake_time import FakeTime
from tests.evals.scenes import scenario

DONE = Fate("turn 1", "")


class World:
    """A messenger and a hub in one: each message becomes m1, m2, …, and `fates` says what becomes of them."""

    def __init__(self, time: FakeTime) -> None:
        self._time = time
        self.fates: dict[str, Fate] = {}
        self.asked: list[str] = []
        self.deeds: list[tuple[str, Deed, str]] = []
        #: From when on, to whom, what is shown.
        self.replies: list[tuple[float, str, str]] = []
        self.writing_takes = 0.0
        self.has_a_person = False

    async def do(self, line: Line, deed: Deed, target: str) -> Written:
        self._time.now += self.writing_takes
        self.deeds.append((line.customer, deed, target))
        made = [f"m{sum(one.writes for _, one, _ in self.deeds)}"] if deed.writes else []
        return Written("chat", made)

    async def say_as_operator(self, channel: str, chat: str, text: str) -> None:
        self.has_a_person = True

    async def shown(self, line: Line) -> list[Shown]:
        told = [(at, text) for at, name, text in self.replies if name == line.customer]
        return [Shown(f"r{at}{text}", text, {}) for at, text in told if at <= self._time.now]

    async def fate(self, channel: str, chat: str, message_id: str) -> Fate:
        self.asked.append(message_id)
        return self.fates.get(message_id, DONE)

    async def with_a_person(self, channel: str, chat: str) -> bool:
        return self.has_a_person


@pytest.fixture
def time() -> FakeTime:
    return FakeTime(now=0)


@pytest.fixture
def world(time: FakeTime) -> World:
    return World(time)


@pytest.fixture
def player(world: World, time: FakeTime) -> Player:
    return Player(world, world, Pace(silence=2, patience=10, settle=1), time.timing)


async def play(player: Player, one: Scenario) -> Played:
    return await player.play(one, "Анна", RuleCustomer(one))


def replies(played: Played) -> list[list[str]]:
    return [exchange.replies for exchange in played.exchanges]


async def test_what_comes_after_the_answer_counts_to_it(player: Player, world: World) -> None:
    """An agent that answers twice is found out, also when the second answer is late, or the last."""
    world.replies = [(1, "Анна", "раз"), (2.5, "Анна", "два"), (4, "Анна", "три"), (5, "Анна", "четыре")]
    told = await play(player, scenario(steps=[{"write": "a"}, {"write": "b"}]))
    assert replies(told) == [["раз"], ["два", "три", "четыре"]]


async def test_what_was_taken_back_is_not_waited_for(player: Player, world: World) -> None:
    """Nobody ever hears of a message that was deleted in time; the number names the message."""
    await play(player, scenario(channel="max", write=["a", "b", {"delete": 1}, {"edit": 2, "text": "c"}]))
    assert [target for _, _, target in world.deeds] == ["", "", "m1", "m2"]
    assert set(world.asked) == {"m2"}


async def test_who_takes_everything_back_becomes_no_turn(player: Player, world: World) -> None:
    told = await play(player, scenario(channel="max", write=["a", {"delete": 1}]))
    assert (told.exchanges[0].turns, world.asked) == (0, [])


async def test_an_answer_is_awaited_as_long_as_patience_lasts(
    player: Player, world: World, time: FakeTime
) -> None:
    """Then it is told what was still awaited."""
    world.fates["m1"] = Fate("turn 1", "rogue has the turn")
    told = await play(player, scenario())
    assert told.exchanges[0].unfinished == "rogue has the turn"
    assert 12 <= time.now <= 14


async def test_a_turn_that_waits_for_a_person_is_over(player: Player, world: World) -> None:
    """The agent has done what it can."""
    world.fates["m1"] = Fate("turn 1", "The turn waits for an agent.")
    world.has_a_person = True
    told = await play(player, scenario())
    assert (told.exchanges[0].unfinished, told.exchanges[0].handed_off) == ("", True)


async def test_an_operator_is_heard_of_before_the_customer_goes_on(player: Player, world: World) -> None:
    one = scenario(channel="vk", steps=[{"write": "a"}, {"operator": "я"}, {"write": "b"}])
    assert [exchange.handed_off for exchange in (await play(player, one)).exchanges] == [False, True, True]


async def test_the_bystanders_own_answers_are_theirs(player: Player, world: World) -> None:
    """What they hear later is what they should not hear."""
    world.replies = [(1, "Анна II", "вам"), (3, "Анна II", "всем"), (3, "Анна", "тоже вам")]
    told = await play(player, scenario(steps=[{"bystander": "a"}, {"write": "b"}]))
    assert replies(told) == [["вам"], ["тоже вам"]]
    assert told.bystander_heard == 1


async def test_a_rule_customer_goes_on_until_nothing_fits(player: Player, world: World) -> None:
    world.replies = [(1, "Анна", "Какая модель?"), (4, "Анна", "Записали.")]
    rules = [{"when": "модель", "says": "iPhone 12"}]
    told = await play(player, scenario(customer={"answers": rules}))
    assert [exchange.wrote for exchange in told.exchanges] == [["цена?"], ["iPhone 12"]]


@pytest.mark.parametrize(
    "slow",
    [
        lambda world: setattr(world, "writing_takes", 1.7),
        lambda world: world.fates.update(m1=Fate("t1", "", received=10.0), m2=Fate("t2", "", received=11.7)),
    ],
    ids=["written slowly", "delivered slowly"],
)
async def test_a_burst_that_was_none_says_nothing_of_the_agent(
    player: Player, world: World, slow: Callable[[World], None]
) -> None:
    """The machine was too slow."""
    slow(world)
    with pytest.raises(Disturbed):
        await play(player, scenario(write=["a", "b"]))


async def test_two_turns_of_a_quick_burst_are_the_systems_mistake(player: Player, world: World) -> None:
    """It came in together, and was gathered apart."""
    world.fates = {"m1": Fate("t1", "", received=10.0), "m2": Fate("t2", "", received=10.3)}
    assert (await play(player, scenario(write=["a", "b"]))).exchanges[0].turns == 2


async def test_a_disturbed_trial_is_begun_anew_as_somebody_else(player: Player, world: World) -> None:
    """Three times; then it is told that it could not be played."""
    world.writing_takes = 1.7
    [outcome] = await Trials(player).run([scenario(write=["a", "b"])], times=1, at_once=1)
    [trial] = outcome.trials
    assert trial.failures == ["could not be played: Disturbed: 1.9 s passed within a burst"]
    assert names(world.deeds) == ["Гость 1", "Гость 2", "Гость 3"]


def names(deeds: Sequence[tuple[str, Any, str]]) -> list[str]:
    return list(dict.fromkeys(name for name, _, _ in deeds))
