"""The model test at length: `python -m tests.prove`, also `make prove`.

A failure prints the steps that lead to it, the shortest that were found, and how to see them again.
"""

import argparse
import secrets
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from contextlib import ExitStack
from multiprocessing import get_context
from pathlib import Path

from launcher.engines import Engines
from launcher.settings import LauncherSettings
from tests.engines_fixture import database, empty_redis
from tests.prove.share import Done, Share, run_share
from tests.prove.tally import shortcomings, summary, table_of_cuts, together


def main(arguments: Sequence[str]) -> int:
    """Run it all; the exit code."""
    given = _parser().parse_args(arguments)
    chosen = LauncherSettings()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="prove-") as folder:
        engines = Engines(Path(folder), redis_binary=chosen.redis_server, pg_bin=chosen.pg_bin).start()
        try:
            done = _run(engines, given)
        finally:
            engines.stop()
            engines.postgres.discard()
    total = together(one.tally for one in done)
    _say(summary(total, seed=given.seed, seconds=time.monotonic() - began))
    if any(one.failure for one in done):
        _say("", "A history that fails is counted each time it was tried while it was made shorter.")
        return 1
    _say("", table_of_cuts(total))
    wrong = shortcomings(total, examples=0 if given.blob else given.examples)
    _say(*wrong)
    return 1 if wrong else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.prove", description=__doc__)
    parser.add_argument("--examples", type=int, default=10_000, help="random histories in all")
    parser.add_argument("--steps", type=int, default=22, help="rules of a history; some are several steps")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="that of an earlier run")
    parser.add_argument("--blob", default="", help="what hypothesis prints of one failure")
    parser.add_argument("--first", action="store_true", help="cut only the first await of each name")
    return parser


def _run(engines: Engines, given: argparse.Namespace) -> list[Done]:
    _say(f"seed {given.seed}")
    with ExitStack() as databases, ProcessPoolExecutor(given.jobs, mp_context=get_context("spawn")) as pool:
        shares = [
            Share(
                number,
                given.jobs,
                -(-given.examples // given.jobs),
                given.steps,
                given.seed + number,
                given.blob,
                given.first,
                empty_redis(engines),
                databases.enter_context(database(engines)),
            )
            for number in range(given.jobs)
        ]
        return [_told(under_way.result()) for under_way in as_completed(_begun(pool, shares))]


def _begun(pool: ProcessPoolExecutor, shares: Sequence[Share]) -> "list[Future[Done]]":
    return [pool.submit(run_share, share) for share in shares]


def _told(done: Done) -> Done:
    """What was found is said at once: the others may have half an hour before them."""
    again = f"python -m tests.prove --jobs 1 --seed {done.share.seed} --examples {done.share.examples}"
    if done.failure:
        _say(done.failure, f"See it again: {again}")
    return done


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
