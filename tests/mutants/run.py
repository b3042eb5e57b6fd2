"""Make each mistake in a copy of the project and see its tests fail: `python -m tests.mutants.run [WORD …]`.

With words, only mutants whose file of mutants, promise or changed file has one of them. Ends with 1 when a
mutant lives, or when a named test fails without any mistake. Uncommitted changes are tried as they stand.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from tests.mutants.mutant import Mutant, every_mutant
from tests.mutants.tree import Tree, Tried


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a mutant."""

    mutant: Mutant
    tried: Tried

    @property
    def killed(self) -> bool:
        return bool(self.tried.failed)

    @property
    def word(self) -> str:
        if self.killed:
            return f"killed by {', '.join(_function(test) for test in self.tried.failed)}"
        return f"NOT TRIED: {self.tried.trouble}" if self.tried.trouble else "LIVES"


def main(arguments: Sequence[str]) -> int:
    """Try what is asked for; the exit code."""
    given = _parser().parse_args(arguments)
    mutants = [mutant for mutant in every_mutant() if _is_chosen(mutant, given.words)]
    broken = [f"{mutant.name}: {wrong}" for mutant in mutants for wrong in mutant.mistakes()]
    if broken or not mutants:
        _say(*broken, "There is nothing to try." if not mutants else "Mend these mutants first.")
        return 1
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        trees = [Tree(Path(folder) / str(number)) for number in range(given.jobs)]
        unsound = _failing_anyway(trees[0], mutants)
        verdicts = _try_all(trees, [mutant for mutant in mutants if not unsound & set(mutant.tests)])
    lived = [verdict for verdict in verdicts if not verdict.killed]
    _say(f"{len(verdicts) - len(lived)} of {len(mutants)} mutants killed, {time.monotonic() - began:.0f} s")
    _say(*(f"{verdict.mutant.name}: {verdict.word}" for verdict in lived))
    return int(bool(lived) or bool(unsound))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants.run", description=__doc__)
    parser.add_argument("words", nargs="*", help="only mutants in whose place or promise one of these stands")
    parser.add_argument("--jobs", type=int, default=2, help="how many are tried at once")
    return parser


def _is_chosen(mutant: Mutant, words: Sequence[str]) -> bool:
    places = (mutant.source, mutant.promise, mutant.file)
    return not words or any(word in place for word in words for place in places)


def _failing_anyway(tree: Tree, mutants: Sequence[Mutant]) -> set[str]:
    """Tests that fail on the project as it is, also alone: their failure says nothing of a mistake."""
    tests = sorted({test for mutant in mutants for test in mutant.tests})
    together = tree.run_tests(tests, "-n", "2")
    if together.passed:
        return set()
    suspects = {test for test in tests if any(_is_of(failed, test) for failed in together.failed)}
    failing = {test for test in suspects or set(tests) if not tree.run_tests([test]).passed}
    _say(*(f"fails without any mistake: {test}" for test in sorted(failing)))
    return failing


def _is_of(failed: str, test: str) -> bool:
    """Whether a failed test is the named one, or one of its values."""
    return failed == test or failed.startswith(f"{test}[")


def _try_all(trees: Sequence[Tree], mutants: Sequence[Mutant]) -> list[Verdict]:
    free: SimpleQueue[Tree] = SimpleQueue()
    for tree in trees:
        free.put(tree)
    with ThreadPoolExecutor(len(trees)) as pool:
        return list(pool.map(_trial(free), mutants))


def _trial(free: "SimpleQueue[Tree]") -> Callable[[Mutant], Verdict]:
    def attempt(mutant: Mutant) -> Verdict:
        tree = free.get()
        try:
            with tree.with_mistake(mutant):
                verdict = Verdict(mutant, tree.run_tests(mutant.tests, "-x"))
        finally:
            free.put(tree)
        _say(f"{mutant.name}\n    {verdict.word}")
        return verdict

    return attempt


def _function(test: str) -> str:
    return test.rpartition("::")[2]


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines if line))
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
