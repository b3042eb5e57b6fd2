"""A plot of every figure that has a goal: how far it is from it, on a logarithmic scale."""

import math
from collections.abc import Sequence
from html import escape

from bench.finding import Finding

_ROW, _LEFT, _WIDTH, _TOP = 22, 430, 420, 46
_DECADES = 2
_GOOD, _BAD = "#2e7d32", "#c62828"


def ratios_plot(findings: Sequence[Finding]) -> str:
    """An SVG: a bar to the right of the line is better than the goal, to the left worse."""
    judged = [one for one in findings if one.goal is not None and one.judged]
    height = _TOP + _ROW * len(judged) + 30
    middle = _LEFT + _WIDTH / 2
    rows = [_bar(place, one, middle) for place, one in enumerate(judged)]
    scale = [_tick(power, height) for power in range(-_DECADES, _DECADES + 1)]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{_LEFT + _WIDTH + 20}" height="{height}" '
            'font-family="sans-serif" font-size="12" role="img">',
            "<title>Measured figures against their goals</title>",
            '<rect width="100%" height="100%" fill="white"/>',
            '<text x="10" y="18" font-size="14">Against the goal: right of the line is better</text>',
            *scale,
            *rows,
            "</svg>\n",
        ]
    )


def _advantage(one: Finding) -> float:
    """How many times better than the goal, as a power of ten."""
    if one.goal is None or not one.judged:
        return 0.0
    times = one.judged / one.goal.value
    power = math.log10(times if one.goal.relation == "at least" else 1 / times)
    return max(-_DECADES, min(_DECADES, power))


def _bar(place: int, one: Finding, middle: float) -> str:
    y, power = _TOP + place * _ROW, _advantage(one)
    length = abs(power) * _WIDTH / (2 * _DECADES)
    start, colour = (middle, _GOOD) if power >= 0 else (middle - length, _BAD)
    label = escape(f"{one.section}: {one.what}")
    return (
        f'<text x="{_LEFT - 10}" y="{y + 14}" text-anchor="end">{label}</text>'
        f'<rect x="{start:.1f}" y="{y + 3}" width="{max(length, 1):.1f}" height="14" fill="{colour}"/>'
    )


def _tick(power: int, height: int) -> str:
    x = _LEFT + _WIDTH / 2 + power * _WIDTH / (2 * _DECADES)
    label = "goal" if power == 0 else f"{10**power:g}x"
    return (
        f'<line x1="{x}" y1="{_TOP - 6}" x2="{x}" y2="{height - 20}" stroke="#bbb"/>'
        f'<text x="{x}" y="{_TOP - 10}" text-anchor="middle">{label}</text>'
    )
