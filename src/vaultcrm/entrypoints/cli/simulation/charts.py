"""Drawings as inline SVG: no script, colours from the page's classes.

Each is 420 by 220 units, so that its words stay readable on a telephone.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

WIDTH, HEIGHT = 420, 220
LEFT, RIGHT, TOP, BOTTOM = 44, 400, 14, 190
TICKS = 4


@dataclass(frozen=True, slots=True)
class Line:
    """One series: a class that colours it, and a value for each place; None leaves a gap."""

    kind: str
    values: Sequence[float | None]


def lines(
    series: Sequence[Line],
    labels: Sequence[str],
    *,
    title: str,
    show: Callable[[float], str] = str,
) -> Markup:
    """Lines over places that are labelled; the scale begins at 0."""
    top = _ceiling(value for line in series for value in line.values if value is not None)
    across = [_x(number, len(labels)) for number in range(len(labels))]
    drawn = [_grid(top, show), _below(labels, across)]
    for line in series:
        points = [
            (x, _y(value, top))
            for x, value in zip(across, line.values, strict=True)
            if value is not None
        ]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        drawn.append(Markup('<polyline class="line {}" points="{}"/>').format(line.kind, path))
        drawn += [_dot(x, y, line.kind) for x, y in points]
    return _framed(drawn, title)


def bars(
    stacks: Sequence[Line],
    labels: Sequence[str],
    *,
    title: str,
    show: Callable[[float], str] = str,
) -> Markup:
    """One bar a place, its parts on top of each other in the order of `stacks`."""
    sums = [sum(line.values[place] or 0 for line in stacks) for place in range(len(labels))]
    top = _ceiling(sums)
    room = (RIGHT - LEFT) / max(1, len(labels))
    wide = max(1.0, room * 0.7)
    across = [LEFT + room * (place + 0.5) for place in range(len(labels))]
    drawn = [_grid(top, show), _below(labels, across)]
    for place, middle in enumerate(across):
        below = 0.0
        for line in stacks:
            value = line.values[place] or 0
            upper, lower = _y(below + value, top), _y(below, top)
            if value:
                drawn.append(
                    Markup(
                        '<rect class="bar {}" x="{:.1f}" y="{:.1f}" width="{:.1f}" '
                        'height="{:.1f}"/>'
                    ).format(line.kind, middle - wide / 2, upper, wide, lower - upper)
                )
            below += value
    return _framed(drawn, title)


def against(
    points: Sequence[tuple[str, float, float, float]], *, title: str, across: str, up: str
) -> Markup:
    """Points in the unit square with its diagonal: class, x, y, and weight (0-1) for the size."""
    drawn = [
        _grid(1.0, lambda value: f"{value:.0%}"),
        _below([f"{tick * 25} %" for tick in range(5)], [_x(tick, 5) for tick in range(5)]),
        Markup('<line class="ideal" x1="{}" y1="{}" x2="{}" y2="{}"/>').format(
            LEFT, BOTTOM, RIGHT, TOP
        ),
        Markup('<text class="axis" x="{}" y="{}" text-anchor="end">{}</text>').format(
            RIGHT, BOTTOM - 5, across
        ),
        Markup('<text class="axis" x="{}" y="{}">{}</text>').format(LEFT + 5, TOP + 10, up),
    ]
    for kind, x, y, weight in points:
        drawn.append(_dot(LEFT + x * (RIGHT - LEFT), _y(y, 1.0), kind, 3 + 6 * weight**0.5))
    return _framed(drawn, title)


def _framed(drawn: Sequence[Markup], title: str) -> Markup:
    return Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        WIDTH, HEIGHT, title, Markup("").join(drawn)
    )


def _grid(top: float, show: Callable[[float], str]) -> Markup:
    drawn = Markup("")
    for tick in range(TICKS + 1):
        value = top * tick / TICKS
        y = _y(value, top)
        drawn += Markup('<line class="grid" x1="{}" y1="{:.1f}" x2="{}" y2="{:.1f}"/>').format(
            LEFT, y, RIGHT, y
        )
        drawn += Markup('<text class="tick" x="{}" y="{:.1f}" text-anchor="end">{}</text>').format(
            LEFT - 5, y + 3.5, show(value)
        )
    return drawn


def _below(labels: Sequence[str], across: Sequence[float]) -> Markup:
    """At most eight labels, evenly chosen."""
    step = max(1, -(-len(labels) // 8))
    drawn = Markup("")
    for label, x in list(zip(labels, across, strict=True))[::step]:
        drawn += Markup(
            '<text class="tick" x="{:.1f}" y="{}" text-anchor="middle">{}</text>'
        ).format(x, BOTTOM + 16, escape(label))
    return drawn


def _dot(x: float, y: float, kind: str, radius: float = 3.0) -> Markup:
    return Markup('<circle class="dot {}" cx="{:.1f}" cy="{:.1f}" r="{:.1f}"/>').format(
        kind, x, y, radius
    )


def _x(place: int, places: int) -> float:
    if places == 1:
        return (LEFT + RIGHT) / 2
    return LEFT + (RIGHT - LEFT) * place / (places - 1)


def _y(value: float, top: float) -> float:
    return BOTTOM - (BOTTOM - TOP) * min(1.0, value / top)


def _ceiling(values: Iterable[float]) -> float:
    """The next of 1, 2, 2.5, 4, 5, 8 times a power of ten above all values."""
    greatest = max(values, default=0.0)
    if greatest <= 0:
        return 1.0
    power = 1.0
    while power > greatest:
        power /= 10
    while power * 10 <= greatest:
        power *= 10
    return next(power * step for step in (1, 2, 2.5, 4, 5, 8, 10) if power * step >= greatest)
