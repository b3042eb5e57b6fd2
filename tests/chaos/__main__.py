"""`python -m tests.chaos`: the storm at full size; exit code 0 when it was whole and its account even."""

import argparse
import sys
import tempfile
from pathlib import Path

from launcher.engines import Engines
from tests.chaos.plan import MESSENGERS, Plan
from tests.chaos.report import summary
from tests.chaos.storm import SETTINGS, Storm
from tests.engines_fixture import database
from tests.system import System, running


def main() -> int:
    """Read the plan, run the storm, print the account."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description="kill -9 under load.")
    parser.add_argument("--messages", type=int, default=101_100, help="99 in a hundred must be accepted")
    parser.add_argument("--kills", type=int, default=55)
    parser.add_argument("--minutes", type=float, default=18.0, help="how long customers write")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    plan = Plan(chosen.messages, chosen.kills, chosen.minutes, chosen.seed)
    with tempfile.TemporaryDirectory(prefix="eldoleado-chaos-") as folder:
        engines = Engines(Path(folder) / "engines").start()
        try:
            return _run(engines, Path(folder) / "system", plan)
        finally:
            engines.discard()


def _run(engines: Engines, folder: Path, plan: Plan) -> int:
    folder.mkdir()
    with database(engines) as url:
        system = System(
            folder, redis_url=engines.redis_url, database_url=url, channels=MESSENGERS, **SETTINGS
        )
        with running(system):
            system.start_all()
            outcome = Storm(system, engines, plan, _tell).run()
    _tell(summary(outcome))
    return 0 if outcome.even and outcome.complete else 1


def _tell(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
