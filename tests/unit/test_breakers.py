"""A breaker per account: closed, open, half open with one probe."""

import pytest

from core.errors import AuthFailed, VendorDown
from orchestrator.breakers import Breakers, Rules, Wait
from tests.integration.chats_fixture import SECOND, ManualClock

SHOP, OTHER = ("avito", "shop"), ("avito", "other")


class At:
    """Breakers without jitter's chance, and their clock."""

    def __init__(self, jitter: float = 1.0) -> None:
        self.clock = ManualClock()
        self.breakers = Breakers(self.clock, Rules(failures=3, first=10, longest=300), jitter=lambda: jitter)

    def fail(self, times: int = 1) -> None:
        for _ in range(times):
            self.breakers.failed(SHOP, VendorDown("Away."))

    def wait(self, seconds: float) -> None:
        self.clock.move(round(seconds * SECOND))

    def asked(self) -> float:
        """For how long the shop may not ask; 0: it may."""
        wait = self.breakers.ask(SHOP)
        return wait.seconds if isinstance(wait, Wait) else 0.0

    @property
    def states(self) -> list[tuple[str, str]]:
        return [(one.account, one.state) for one in self.breakers.seen()]


@pytest.mark.promise("breaker")
def test_failures_in_a_row_open_it_for_that_account_alone() -> None:
    at = At()
    at.fail(2)
    assert (at.asked(), at.states) == (0.0, [])

    at.fail()

    assert (at.asked(), at.states) == (10.0, [("shop", "open")])
    assert at.breakers.ask(OTHER) is None


def test_an_answer_between_failures_forgets_them() -> None:
    at = At()
    at.fail(2)
    at.breakers.answered(SHOP)
    at.fail(2)

    assert at.asked() == 0.0


@pytest.mark.promise("breaker")
def test_after_the_pause_one_probe_asks_and_the_others_wait() -> None:
    at = At()
    at.fail(3)
    at.wait(10)

    assert [at.asked() for _ in range(3)] == [0.0, 2.0, 2.0]
    assert at.states == [("shop", "half_open")]
    at.breakers.answered(SHOP)
    assert (at.asked(), at.states) == (0.0, [])


def test_a_probe_that_fails_doubles_the_pause_up_to_the_longest() -> None:
    at, pauses = At(), []
    at.fail(3)
    for _ in range(7):
        pauses.append(at.asked())
        at.wait(pauses[-1])
        assert at.asked() == 0.0
        at.fail()

    assert pauses == [10, 20, 40, 80, 160, 300, 300]


def test_pauses_have_jitter_so_that_replicas_do_not_ask_together() -> None:
    at = At(jitter=0.0)
    at.fail(3)

    assert at.asked() == 8.0


def test_a_refusal_of_the_account_opens_it_at_once_for_a_fixed_time() -> None:
    at = At()
    for _ in range(3):
        at.breakers.refused(SHOP, AuthFailed("Wrong key."))
        assert at.asked() == 300.0
        at.wait(300)
        assert at.asked() == 0.0


def test_a_probe_that_never_comes_back_is_followed_by_another() -> None:
    at = At()
    at.fail(3)
    at.wait(10)
    assert at.asked() == 0.0
    at.wait(121)

    assert at.asked() == 0.0


def test_a_probe_that_asked_nobody_leaves_its_place_to_the_next() -> None:
    at = At()
    at.fail(3)
    at.wait(10)
    assert at.asked() == 0.0
    at.breakers.told_nothing(SHOP)

    assert at.asked() == 0.0
