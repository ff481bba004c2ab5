"""Confidence as the page shows it: sentences, and places in a diagram."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt

from vaultcrm.domain.confidence import WHOLE, Guarantee, Missing, Pool
from vaultcrm.domain.flags import RolloutStage
from vaultcrm.pipeline.calibration.watching import LEAST_SEEN, SHUT_AT, Bin
from vaultcrm.workflows.read_calibration import CreatorConfidence, Reliability, Watched

SIDE = 300
"""The diagram's sides in its own units."""
LEFT, TOP = 34, 8
TALLEST = 44
_NORMAL = 1.96

MISSING: Mapping[Missing, str] = {
    Missing.NOT_CALIBRATED: "Confidence is not calibrated yet. It is the formula’s until enough "
    "drafts were decided; a calibration needs 200 decisions, some of them against the draft.",
    Missing.TOO_FEW: "Too few drafts were decided that could have left by themselves. Go on "
    "approving, changing and rejecting: each decision counts.",
    Missing.NOT_SAFE: "No confidence is high enough: wherever the line is drawn, too many drafts "
    "above it were changed or rejected to be sure of the limit.",
    Missing.CONTRADICTED: "What holds for several creators together does not hold here: too many "
    "drafts of this creator were changed or rejected.",
    Missing.STRICTER_LIMIT: "The limit was made stricter since. The next calibration works out "
    "whether it can be kept.",
    Missing.OUTSIDE: "The least confidence was raised above what was tested. The next calibration "
    "tests it.",
    Missing.DRIFT: "People decide otherwise than confidence says. A new calibration needs "
    "decisions made since.",
    Missing.LIMIT_PASSED: "Of the messages drawn for a look too many would not have been sent "
    "unchanged. A new calibration needs decisions made since.",
    Missing.UNREADABLE: "What was calibrated cannot be read by this release. Calibrate again.",
}


@dataclass(frozen=True, slots=True)
class Mark:
    """A bin in the diagram: its point, the ends of its interval, and the height of its count."""

    x: float
    y: float
    top: float
    bottom: float
    height: float
    said: str


@dataclass(frozen=True, slots=True)
class Row:
    """A bin in the table beside the diagram."""

    confidence: str
    drafts: int
    unchanged: str
    interval: str


@dataclass(frozen=True, slots=True)
class Diagram:
    marks: tuple[Mark, ...]
    rows: tuple[Row, ...]
    seen: int
    error: str


@dataclass(frozen=True, slots=True)
class Card:
    """One creator. `pill` is the colour of `standing`."""

    creator: CreatorConfidence
    standing: str
    pill: str
    sentences: tuple[str, ...]
    audits: str
    drift: str
    diagram: Diagram | None


def diagram(found: Reliability) -> Diagram | None:
    """The reliability diagram; None where nothing was decided on what the model had not seen."""
    known = [one for one in found.bins if one.count]
    if not known:
        return None
    most = max(one.count for one in known)
    return Diagram(
        marks=tuple(_mark(one, most) for one in known),
        rows=tuple(_row(one) for one in known),
        seen=found.seen,
        error="" if found.error is None else f"{100 * found.error:.1f}",
    )


def _mark(one: Bin, most: int) -> Mark:
    low, high = _interval(one)
    return Mark(
        x=_across(one.expected),
        y=_down(one.observed),
        top=_down(high),
        bottom=_down(low),
        height=round(max(1.0, TALLEST * one.count / most), 1),
        said=f"confidence {100 * one.expected:.0f}: {one.unchanged:,} of {one.count:,} sent "
        "unchanged",
    )


def _row(one: Bin) -> Row:
    low, high = _interval(one)
    return Row(
        f"{100 * one.expected:.0f}",
        one.count,
        f"{100 * one.observed:.0f} %",
        f"{100 * low:.0f}–{100 * high:.0f} %",
    )


def _across(share: float) -> float:
    return round(LEFT + SIDE * share, 1)


def _down(share: float) -> float:
    return round(TOP + SIDE * (1 - share), 1)


def _interval(one: Bin) -> tuple[float, float]:
    """Wilson's interval of 95 % for the share that was sent unchanged."""
    count, share = one.count, one.observed
    middle = share + _NORMAL**2 / (2 * count)
    spread = _NORMAL * sqrt(share * (1 - share) / count + _NORMAL**2 / (4 * count**2))
    whole = 1 + _NORMAL**2 / count
    return max(0.0, (middle - spread) / whole), min(1.0, (middle + spread) / whole)


def card(one: CreatorConfidence, made: str) -> Card:
    """What the page says of one creator; `made` is when it was calibrated, as people read it."""
    standing, pill = _standing(one)
    return Card(
        creator=one,
        standing=standing,
        pill=pill,
        sentences=_sentences(one, made),
        audits=_audits(one),
        drift=_drift(one.watched),
        diagram=diagram(one.reliability),
    )


def _standing(one: CreatorConfidence) -> tuple[str, str]:
    if not one.flags.auto_send_guarantee:
        return "without a guarantee", "warn"
    if one.stopped_at is not None:
        return "stopped", "bad"
    if one.missing is not None:
        return "everything waits", ""
    if one.flags.rollout_stage <= RolloutStage.MANUAL_APPROVAL:
        return "ready for stage 3", "good"
    return "guaranteed", "good"


def _sentences(one: CreatorConfidence, made: str) -> tuple[str, ...]:
    flags = one.flags
    if not flags.auto_send_guarantee:
        told = (
            f"No guarantee is asked for: whatever has confidence {flags.auto_send_threshold} or "
            "more may leave by itself, and nothing is known of how often that is wrong. The flag "
            "AI_AUTO_SEND_GUARANTEE changes it."
        )
        return (told,)
    if one.missing is not None:
        return (f"Nothing leaves by itself. {MISSING[one.missing]}",)
    found = one.guarantee
    if found is None:
        return ()
    return (_promise(one, found, made), _whence(found))


def _promise(one: CreatorConfidence, found: Guarantee, made: str) -> str:
    threshold = max(found.lowest * 100 / WHOLE, float(one.flags.auto_send_threshold))
    limit, certainty = _percent(found.limit), _percent(found.certainty)
    if one.flags.rollout_stage <= RolloutStage.MANUAL_APPROVAL:
        return (
            f"At stage 3, messages from confidence {threshold:.1f} on could leave by themselves: "
            f"at most {limit} of them would have been changed by a person, with {certainty} "
            "confidence."
        )
    if not one.audits.automatic:
        return (
            f"Messages from confidence {threshold:.1f} on leave by themselves: at most {limit} of "
            f"them would have been changed by a person, with {certainty} confidence. None has left "
            "so far."
        )
    alone = one.audits.automatic == 1
    sent = "message sent by itself" if alone else "messages sent by themselves"
    return (
        f"Of {one.audits.automatic:,} {sent} since {made}, at most {limit} "
        f"would have been changed by a person, with {certainty} confidence; threshold "
        f"{threshold:.1f}."
    )


def _whence(found: Guarantee) -> str:
    whose = (
        "It comes from this creator’s decisions alone"
        if found.pool is Pool.OWN
        else "It comes from the decisions for several creators and holds for their automatic "
        "messages together, not for each of them"
    )
    return (
        f"{whose}: of {found.checked:,} that were held back from the fit and lie above the "
        f"threshold, {found.wrong:,} did not leave unchanged."
    )


def _audits(one: CreatorConfidence) -> str:
    drawn = one.audits.unchanged
    share = _percent(one.flags.auto_send_sample)
    if not drawn and not one.audits.waiting:
        return f"{share} of what would leave by itself is drawn by lot for a look. None was yet."
    wrong = len(drawn) - sum(drawn)
    waiting = f", {one.audits.waiting:,} wait" if one.audits.waiting else ""
    return (
        f"{share} of what would leave by itself is drawn by lot for a look: {len(drawn):,} were "
        f"decided, {wrong:,} of them changed or rejected{waiting}."
    )


def _drift(found: Watched | None) -> str:
    if found is None:
        return "Nobody has looked since the calibration; that is done every ten minutes."
    if found.seen < LEAST_SEEN:
        return (
            f"{found.seen:,} newer decisions so far. From {LEAST_SEEN} on they are compared with "
            "what confidence says."
        )
    return (
        f"The last {found.seen:,} decisions lie {abs(found.standard_errors):.1f} standard errors "
        f"{'above' if found.standard_errors >= 0 else 'below'} what confidence says (4 stop "
        f"automatic sending), with {100 * found.error:.1f} points of error beyond chance (10 do), "
        f"and a shift of {found.shift:.2f} (0.25 does). Evidence that the limit is passed: "
        f"{found.evidence:.1f} ({SHUT_AT:.0f} does)."
    )


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
