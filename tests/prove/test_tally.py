"""A run that proves less than it says ends with an error."""

from itertools import product

from tests.prove.fuse import CutLog, What, When
from tests.prove.tally import Tally, shortcomings, together

_NAMES = ("redis collect", "sql COMMIT")
_TIMES: tuple[When, ...] = ("before", "after")
_WAYS: tuple[What, ...] = ("kill", "lose")


def _whole() -> Tally:
    """A run of ten histories whose sweep cut both awaits in every way."""
    swept = CutLog()
    swept.passed.update(_NAMES)
    swept.cut.update(product(_NAMES, _TIMES, _WAYS))
    tally = Tally(swept=swept)
    tally.add(examples=10)
    return tally


def test_a_whole_run_proves_what_it_says() -> None:
    """Also in shares, each of which cut its part of the awaits."""
    half, other = _whole(), _whole()
    del half.swept.cut["sql COMMIT", "before", "kill"], other.swept.cut["redis collect", "after", "kill"]

    assert shortcomings(half, examples=10) == ["the sweep never cut sql COMMIT (kill, before and after)"]
    assert not shortcomings(together([half, other]), examples=20)


def test_what_is_lost_or_doubled_is_said_also_when_no_promise_broke() -> None:
    """The figures are counted apart from the promises."""
    tally = _whole()
    tally.add(lost=1, doubled=2)

    assert shortcomings(tally, examples=10) == ["1 lost", "2 doubled"]


def test_fewer_histories_than_were_asked_for_are_too_few() -> None:
    """Whoever draws them may stop early without a word."""
    assert shortcomings(_whole(), examples=11) == ["only 10 of 11 random histories were lived"]


def test_a_run_without_a_sweep_is_none() -> None:
    """But for one that shows some steps again."""
    tally = Tally()
    tally.add(examples=10)

    assert shortcomings(tally, examples=10) == ["no await was cut in the sweep"]
    assert not shortcomings(tally, examples=0)
