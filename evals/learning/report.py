"""The figures of learning beside their targets."""

from dataclasses import dataclass
from statistics import mean

from evals.learning.measure import Week, learn, proposes_anything

GAP_CLOSED = 0.7
SILENT_WORLDS = 0.95
WORLDS = 10
NOTHING_WORLDS = 80


@dataclass(frozen=True)
class Figures:
    """`courses` are standard worlds, a list of weeks each; `apart` worlds in which creators have
    nothing in common; `silent` of `nothing` worlds in which nothing matters had no proposal.
    """

    courses: list[list[Week]]
    apart: list[list[Week]]
    silent: int
    nothing: int

    @property
    def closed(self) -> float:
        return mean(course[-1].both for course in self.courses)

    @property
    def silence(self) -> float:
        return self.silent / self.nothing


def measure(*, small: bool = False) -> Figures:
    """All figures. Small: two worlds of each kind, with fewer weeks where nothing matters."""
    worlds, nothing = (2, 3) if small else (WORLDS, NOTHING_WORLDS)
    return Figures(
        [learn(seed) for seed in range(worlds)],
        [learn(100 + seed, alike=False) for seed in range(max(1, worlds // 3))],
        sum(not proposes_anything(1_000 + seed) for seed in range(nothing)),
        nothing,
    )


def rendered(figures: Figures) -> str:
    """The figures as a table."""
    weeks = len(figures.courses[0])
    lines = [
        "weekly learning, 20 creators, 5,000 outcomes a week; share of the gap to the best policy:",
        f"{'week':28}" + "".join(f"{week:>7}" for week in range(1, weeks + 1)),
    ]
    for name, courses, which in (
        ("replies and revenue", figures.courses, "both"),
        ("replies alone", figures.courses, "replies"),
        ("revenue of offers alone", figures.courses, "revenue"),
        ("creators with nothing alike", figures.apart, "both"),
    ):
        shown = [mean(getattr(course[week], which) for course in courses) for week in range(weeks)]
        lines.append(f"{name:28}" + "".join(f"{value:7.2f}" for value in shown))
    worst = min(course[-1].both for course in figures.courses)
    lines.append(
        f"gap closed after {weeks} weeks: {figures.closed:.3f} on average, {worst:.3f} in the "
        f"worst of {len(figures.courses)} worlds (target {GAP_CLOSED} on average)"
    )
    lines.append(
        f"worlds where nothing matters and nothing was proposed in {weeks} weeks: "
        f"{figures.silent} of {figures.nothing} (target {SILENT_WORLDS:.0%})"
    )
    return "\n".join(lines)


def failures(figures: Figures) -> list[str]:
    """What misses its target, a sentence each."""
    failed = []
    if figures.closed < GAP_CLOSED:
        failed.append(f"learning closes {figures.closed:.3f} of the gap, target {GAP_CLOSED}")
    if figures.silence < SILENT_WORLDS:
        failed.append(
            f"learning proposes nothing in {figures.silence:.3f} of worlds where nothing matters, "
            f"target {SILENT_WORLDS}"
        )
    return failed
