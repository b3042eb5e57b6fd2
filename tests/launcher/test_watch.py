"""Restarts, with a clock that we turn ourselves."""

import sys
from pathlib import Path

import pytest

from launcher.child import Child
from launcher.errors import ServiceFailed
from launcher.watch import Watch


class Mayfly:
    """Ends as soon as it begins."""

    def __init__(self, folder: Path) -> None:
        self.child = Child("mayfly", folder / "mayfly.log")
        self.starts = 0

    def start(self) -> None:
        self.starts += 1
        self.child.start([sys.executable, "-c", "import sys; sys.exit('no wings')"], {})
        self.child.wait()


class Time:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def mayfly(tmp_path: Path) -> Mayfly:
    fly = Mayfly(tmp_path)
    fly.start()
    return fly


def watch_until_given_up(watch: Watch, time: Time, delays: list[float]) -> None:
    while True:
        told = watch.look() or ""
        if "starting it again in" in told:
            delays.append(float(told.split()[-2]))
            assert watch.look() is None  # not yet
            time.now += delays[-1]


def test_what_keeps_dying_is_started_later_each_time_and_then_given_up(mayfly: Mayfly) -> None:
    time = Time()
    watch = Watch(mayfly, time)
    delays: list[float] = []

    with pytest.raises(ServiceFailed, match=r"(?s)mayfly died 6 times.*no wings"):
        watch_until_given_up(watch, time, delays)

    assert delays == [0.5, 1, 2, 4, 8]
    assert mayfly.starts == 6


def test_who_lived_long_starts_with_a_clean_slate(mayfly: Mayfly) -> None:
    time = Time()
    watch = Watch(mayfly, time)
    for _ in range(10):
        time.now += 60
        assert watch.look() == "mayfly ended (exit code 1); starting it again in 0.5 s"
        time.now += 0.5
        assert watch.look() == "mayfly is started again"
