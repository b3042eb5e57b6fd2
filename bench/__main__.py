"""`python -m bench [section ...]`: measure, print the table, keep it in var/bench."""

import argparse
import sys
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import uvloop

from bench import collect, debounce, ingest, memory, outbound, resolve, tools
from bench.finding import Finding
from bench.quiet import be_quiet
from bench.report import table, write
from bench.stage import Stage
from launcher.engines import Engines

SECTIONS: dict[str, Callable[[Stage], Coroutine[Any, Any, list[Finding]]]] = {
    "ingest": ingest.measure,
    "collect": collect.measure,
    "debounce": debounce.measure,
    "resolve": resolve.measure,
    "outbound": outbound.measure,
    "tools": tools.measure,
    "memory": memory.measure,
}


def main() -> int:
    """Run the chosen sections, all by default."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Figures beside their floors.")
    parser.add_argument("sections", nargs="*", metavar="section", help=", ".join(SECTIONS))
    parser.add_argument("--out", type=Path, default=Path("var/bench"), help="where the results are kept")
    parser.add_argument(
        "--scale",
        type=float,
        default=1.0,
        help="0.1 measures a tenth as long: to try the bench, not to quote",
    )
    chosen = parser.parse_args()
    unknown = set(chosen.sections) - SECTIONS.keys()
    if unknown:
        parser.error(f"no such section: {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
    be_quiet()
    findings = _run(chosen.sections or list(SECTIONS), chosen.scale)
    write(findings, chosen.out)
    sys.stdout.write(f"\n{table(findings)}\nKept in {chosen.out}.\n")
    return 0


def _run(sections: list[str], scale: float) -> list[Finding]:
    findings: list[Finding] = []
    with tempfile.TemporaryDirectory(prefix="eldoleado-bench-") as folder:
        engines = Engines(Path(folder) / "engines").start()
        try:
            for name in sections:
                sys.stdout.write(f"==> {name}\n")
                sys.stdout.flush()
                findings += uvloop.run(SECTIONS[name](Stage(engines, Path(folder), scale)))
        finally:
            engines.discard()
    return findings


if __name__ == "__main__":
    sys.exit(main())
