"""Run the measurements, and say them in tables with their targets."""

from dataclasses import dataclass

import numpy as np

from evals.calibration.measure import (
    LIMIT,
    Calibrated,
    Sending,
    measure_calibration,
    measure_sending,
    poor_world,
    rich_worlds,
    shares,
)

MOST_ERROR = 0.03
MOST_BROKEN = 0.05
LEAST_SENT = 0.70
MOST_SENT_WHERE_LITTLE_IS_SAFE = 0.02


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured. `creators` of each world of calibration have 2,000 decisions each."""

    calibrations: int = 8
    creators: int = 10
    rich: int = 200
    poor: int = 100


FULL = Size()
SMALL = Size(calibrations=1, creators=4, rich=8, poor=4)
"""For tests: a few worlds, which show that the figures are computed and not how good they are."""


@dataclass(frozen=True, slots=True)
class Report:
    logistic: tuple[Calibrated, ...]
    isotonic: tuple[Calibrated, ...]
    rich: tuple[Sending, ...]
    poor: tuple[Sending, ...]

    @property
    def error(self) -> float:
        """The worst world's ECE: together or as the mean over creators, whichever is greater."""
        return max(max(one.together, one.mean_of_creators) for one in self.logistic)

    @property
    def broken(self) -> float:
        """In what share of the worlds more than the limit was wrong."""
        return float(np.mean([one.is_broken for one in (*self.rich,)]))

    @property
    def sent(self) -> float:
        """What was sent, of what the oracle could send: the mean over rich worlds."""
        return float(shares(self.rich).mean())

    @property
    def sent_where_little_is_safe(self) -> float:
        return float(np.mean([one.sent for one in self.poor]))


def measure(size: Size = FULL) -> Report:
    """All worlds of a size; the same worlds each time."""
    seeds = range(size.calibrations)
    return Report(
        tuple(measure_calibration(seed, creators=size.creators) for seed in seeds),
        tuple(
            measure_calibration(seed, creators=size.creators, curve="isotonic") for seed in seeds
        ),
        tuple(measure_sending(world) for world in rich_worlds(size.rich)),
        tuple(measure_sending(poor_world(seed)) for seed in range(size.poor)),
    )


def rendered(report: Report) -> str:
    """The tables."""
    ratio = shares(report.rich)
    worst = max(one.worst_creator for one in report.logistic)
    isotonic = max(max(one.together, one.mean_of_creators) for one in report.isotonic)
    formula = float(np.mean([one.formula for one in report.logistic]))
    broken_poor = sum(one.is_broken for one in report.poor)
    rows = (
        (
            "ECE, worst world, together or mean of creators",
            f"{report.error:.4f}",
            f"<= {MOST_ERROR}",
        ),
        ("  the worst single creator of all", f"{worst:.4f}", ""),
        ("  with an isotonic curve instead", f"{isotonic:.4f}", ""),
        ("  of the formula, uncalibrated (mean)", f"{formula:.4f}", ""),
        (
            f"guarantee broken, of {len(report.rich)} worlds",
            f"{report.broken:.1%}",
            f"<= {MOST_BROKEN:.0%}",
        ),
        (
            "sent, of what the oracle could send (mean)",
            f"{report.sent:.1%}",
            f">= {LEAST_SENT:.0%}",
        ),
        ("  median", f"{np.median(ratio):.1%}", ""),
        ("  worlds with at least 70 %", f"{(ratio >= LEAST_SENT).mean():.0%}", ""),
        ("  worlds in which nothing was sent", f"{(ratio == 0).mean():.0%}", ""),
        (
            "sent where little is safe, of all drafts",
            f"{report.sent_where_little_is_safe:.2%}",
            f"<= {MOST_SENT_WHERE_LITTLE_IS_SAFE:.0%}",
        ),
        ("  guarantee broken there", f"{broken_poor} of {len(report.poor)}", ""),
    )
    title = f"confidence and guarantee, simulated worlds (limit {LIMIT:.0%})"
    lines = [title, *(f"  {name:<50}{figure:>10}  {target}" for name, figure, target in rows)]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def shortfalls(report: Report) -> list[str]:
    """What is beyond its target, a sentence each."""
    checks = (
        (report.error > MOST_ERROR, f"calibration error {report.error:.4f} > {MOST_ERROR}"),
        (report.broken > MOST_BROKEN, f"the guarantee is broken in {report.broken:.1%} of worlds"),
        (report.sent < LEAST_SENT, f"{report.sent:.1%} of what the oracle could send is sent"),
        (
            report.sent_where_little_is_safe > MOST_SENT_WHERE_LITTLE_IS_SAFE,
            f"{report.sent_where_little_is_safe:.1%} is sent where little is safe",
        ),
    )
    return [said for is_missed, said in checks if is_missed]
