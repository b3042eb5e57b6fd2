"""What has time yields: in the limiter, and as a header from one service to another."""

import httpx
import pytest

from core.errors import RateLimited
from core.lanes import ANSWERS, PATIENT, header, in_lane, is_patient, lane_of
from core.ratelimit import BucketShelf, TokenBucket
from core.transports import LONGEST_HOLD, RateLimit, Timing

URL = "https://vendor.test/"


class Line:
    """A limiter of one request a second whose time passes while somebody sleeps in it."""

    def __init__(self, *answers: httpx.Response | RateLimited) -> None:
        self.now = 0.0
        self.asked: list[float] = []
        self._answers = list(answers)
        self.bucket = TokenBucket(1.0, 1, lambda: self.now)
        self.limit = RateLimit(
            httpx.MockTransport(self._answer),
            bucket=self.bucket,
            apart=BucketShelf({}, lambda: self.now),
            timing=Timing(clock=lambda: self.now, sleep=self._sleep),
            longest=10.0,
            in_flight=2,
        )
        self.urgent_comes = 0

    async def _sleep(self, seconds: float) -> None:
        self.now += seconds
        if self.urgent_comes:  # somebody else asks while we sleep
            self.urgent_comes -= 1
            self.bucket.reserve()

    def _answer(self, _: httpx.Request) -> httpx.Response:
        self.asked.append(self.now)
        answer = self._answers.pop(0) if self._answers else httpx.Response(200)
        if isinstance(answer, RateLimited):
            raise answer
        return answer

    async def ask(self, lane: int) -> None:
        with in_lane(lane):
            await self.limit.handle_async_request(httpx.Request("GET", URL))


async def test_what_has_time_lets_pass_whoever_comes_later() -> None:
    line = Line()
    await line.ask(ANSWERS)
    line.urgent_comes = 3
    await line.ask(PATIENT)

    assert line.asked == [0.0, 4.0]


async def test_it_stands_in_line_when_it_has_let_others_pass_for_long_enough() -> None:
    line = Line()
    await line.ask(ANSWERS)
    line.urgent_comes = 1000
    await line.ask(PATIENT)

    assert line.asked[1] <= 7.0


async def test_what_somebody_waits_for_keeps_its_place() -> None:
    line = Line()
    await line.ask(ANSWERS)
    line.urgent_comes = 3
    await line.ask(ANSWERS)

    assert line.asked == [0.0, 1.0]


@pytest.mark.parametrize(("told", "held"), [(7.0, 7.0), (None, 1.0), (1e9, LONGEST_HOLD)])
async def test_a_vendor_that_says_when_to_come_back_is_not_asked_before(
    told: float | None, held: float
) -> None:
    """Whoever asks: the limit is the account's."""
    line = Line(RateLimited(retry_after=told))
    with pytest.raises(RateLimited):
        await line.ask(ANSWERS)

    assert line.bucket.wait() == pytest.approx(held)


@pytest.mark.parametrize(
    ("written", "lane"),
    [
        ("", ANSWERS),
        ("u=3", ANSWERS),
        ("u=0", ANSWERS),
        ("u=5", PATIENT),
        ("i, u=7", PATIENT),
        ("u=9", ANSWERS),
        ("nonsense", ANSWERS),
    ],
)
def test_the_header_says_how_urgent_it_is(written: str, lane: int) -> None:
    """RFC 9218; a value that nobody can read is no value."""
    assert lane_of(written) == lane


def test_a_lane_ends_with_its_block() -> None:
    with in_lane(PATIENT):
        assert lane_of(header()["Priority"]) == PATIENT
        with in_lane(ANSWERS):
            assert not is_patient()
        assert is_patient()
    assert (is_patient(), header()) == (False, {})
