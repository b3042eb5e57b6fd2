"""The findings as a table for people, as JSON, and as a plot."""

import json
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench.finding import Finding
from bench.plot import ratios_plot

_HEAD = ("what", "ours", "beside it", "ratio", "goal", "")


def table(findings: Sequence[Finding]) -> str:
    """A Markdown table for each section."""
    parts: list[str] = []
    for section in dict.fromkeys(one.section for one in findings):
        rows = [_cells(one) for one in findings if one.section == section]
        parts += [f"### {section}", "", _line(_HEAD), _line(["---"] * len(_HEAD)), *map(_line, rows), ""]
    return "\n".join(parts)


def write(findings: Sequence[Finding], folder: Path) -> None:
    """bench.json, bench.md and bench.svg."""
    folder.mkdir(parents=True, exist_ok=True)
    document = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "findings": [one.as_row() for one in findings],
    }
    (folder / "bench.json").write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    (folder / "bench.md").write_text(table(findings))
    (folder / "bench.svg").write_text(ratios_plot(findings))


def _cells(one: Finding) -> list[str]:
    other = "" if one.other is None else f"{_figure(one.other)} {one.unit} ({one.beside})"
    ratio = "" if one.ratio is None else f"{one.ratio:.2f}"
    return [
        one.what,
        f"{_figure(one.ours)} {one.unit}",
        other,
        ratio,
        str(one.goal) if one.goal else "",
        one.verdict,
    ]


def _figure(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
