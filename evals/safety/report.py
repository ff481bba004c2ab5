"""The tables, and which of their figures are worse than the thresholds allow."""

import time
import tomllib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from evals.safety import second_set
from evals.safety.benign import Checked, check, lines
from evals.safety.recall import PLAIN, Offence, Trial, held_out, pack_examples, trials
from vaultcrm.domain.safety import Verdict
from vaultcrm.pipeline.safety.filter import ContentFilter

THRESHOLDS = Path(__file__).parent / "thresholds.toml"
SEED = 20_261
SMALL = 3
"""The small version takes one offence or line of so many."""


@dataclass(frozen=True, slots=True)
class Share:
    """`hits` of `total`."""

    hits: int
    total: int

    @property
    def value(self) -> float:
        return self.hits / self.total if self.total else 0.0


@dataclass(frozen=True, slots=True)
class Report:
    """`recall[source][category][family]`, where category "all" is the sum of the others."""

    recall: dict[str, dict[str, dict[str, Share]]]
    blocked: Share
    reviewed: Share
    by_language: dict[str, tuple[Share, Share]]
    texts_per_second: float
    chat_per_second: float
    misses: tuple[Trial, ...]
    false_alarms: tuple[Checked, ...]


def measure(content_filter: ContentFilter | None = None, *, small: bool = False) -> Report:
    """Every figure of a filter; None is the one that comes with the product.

    CPU seconds, so that other work on the machine does not count.
    """
    content_filter = content_filter or ContentFilter.load()
    step = SMALL if small else 1
    sources = {
        "held_out": held_out()[::step],
        "second_set": second_set.offences()[::step],
        "examples": pack_examples()[::step],
    }
    chat = [*lines(), *second_set.benign_lines()][::step]
    began = time.process_time()
    tried = {source: _tried(content_filter, offences) for source, offences in sources.items()}
    seconds = time.process_time() - began
    began = time.process_time()
    checked = check(content_filter, chat)
    chat_seconds = time.process_time() - began
    return Report(
        recall={source: _recall(found) for source, found in tried.items()},
        blocked=_share(checked, Verdict.BLOCK),
        reviewed=_share(checked, Verdict.REVIEW),
        by_language={
            language: (_share(of_language, Verdict.BLOCK), _share(of_language, Verdict.REVIEW))
            for language in sorted({each.line.language for each in checked})
            if (of_language := [each for each in checked if each.line.language == language])
        },
        texts_per_second=sum(map(len, tried.values())) / seconds,
        chat_per_second=len(chat) / chat_seconds,
        misses=tuple(trial for found in tried.values() for trial in found if not trial.found),
        false_alarms=tuple(each for each in checked if each.is_alarm),
    )


def _tried(content_filter: ContentFilter, offences: list[Offence]) -> list[Trial]:
    return list(trials(content_filter, offences, SEED))


def _recall(tried: Iterable[Trial]) -> dict[str, dict[str, Share]]:
    total: Counter[tuple[str, str]] = Counter()
    found: Counter[tuple[str, str]] = Counter()
    for trial in tried:
        for category in (str(trial.offence.category), "all"):
            total[category, trial.family] += 1
            found[category, trial.family] += trial.found
    table: dict[str, dict[str, Share]] = {}
    for (category, family), count in total.items():
        table.setdefault(category, {})[family] = Share(found[category, family], count)
    return table


def _share(checked: Sequence[Checked], verdict: Verdict) -> Share:
    return Share(sum(each.report.verdict is verdict for each in checked), len(checked))


def shortfalls(report: Report, *, small: bool = False) -> list[str]:
    """What is worse than the thresholds allow, a sentence each. Empty if all is well.

    The small version leaves out speed and how many lines there are.
    """
    limits = tomllib.loads(THRESHOLDS.read_text("utf-8"))
    found = [
        *_recall_shortfalls(report, limits["recall"]),
        *_alarm_shortfalls(report, limits["alarms"]),
    ]
    if not small:
        found += _size_shortfalls(report, limits["alarms"])
        found += _speed_shortfalls(report, limits["speed"])
    return found


def _recall_shortfalls(report: Report, limits: dict[str, float]) -> Iterable[str]:
    for source, table in report.recall.items():
        for category, families in table.items():
            for family, share in families.items():
                if category == "all":
                    least = limits["as_typed" if family == PLAIN else "every_family"]
                elif share.total >= limits["fewest"]:
                    least = limits["category_and_family"]
                else:
                    continue
                if share.value < least:
                    yield (
                        f"{source}, {category}, {family}: recall {share.value:.3f} "
                        f"of {share.total}, at least {least} is asked for"
                    )


def _alarm_shortfalls(report: Report, limits: dict[str, float]) -> Iterable[str]:
    for name, share in (("block", report.blocked), ("review", report.reviewed)):
        if share.value > limits[name]:
            yield (
                f"benign chat: {name} {share.value:.4f} of {share.total}, "
                f"at most {limits[name]} is asked for"
            )


def _size_shortfalls(report: Report, limits: dict[str, float]) -> Iterable[str]:
    if report.blocked.total < limits["fewest_lines"]:
        yield (
            f"benign chat: {report.blocked.total} lines, "
            f"at least {limits['fewest_lines']} are asked for"
        )


def _speed_shortfalls(report: Report, limits: dict[str, float]) -> Iterable[str]:
    if report.texts_per_second < limits["texts_per_second"]:
        yield (
            f"speed: {report.texts_per_second:.0f} texts a second, "
            f"at least {limits['texts_per_second']} are asked for"
        )


def rendered(report: Report, *, details: bool = False) -> str:
    """The report as plain text; `details` adds every miss and every false alarm."""
    parts = [_recall_table(source, table) for source, table in report.recall.items()]
    parts.append(_alarm_table(report))
    parts.append(
        f"messages a second on one core: {report.chat_per_second:,.0f} of innocent chat, "
        f"{report.texts_per_second:,.0f} of offences, most of them disguised\n"
    )
    if details:
        parts.append(_details(report))
    return "\n".join(parts)


def _recall_table(source: str, table: dict[str, dict[str, Share]]) -> str:
    families = list(table["all"])
    width = max(map(len, table)) + 2
    head = f"recall, {source}"
    rows = [f"{head:{width}}" + "".join(f"{_short(family):>9}" for family in families)]
    for category in [*sorted(name for name in table if name != "all"), "all"]:
        cells = (table[category].get(family) for family in families)
        rows.append(
            f"{category:{width}}"
            + "".join(f"{share.value:9.3f}" if share else f"{'':9}" for share in cells)
        )
    counts = "".join(f"{table['all'][family].total:9}" for family in families)
    return "\n".join([*rows, f"{'texts':{width}}{counts}", ""])


def _short(family: str) -> str:
    return family.replace("_letters", "").replace("_marks", "")[:8]


def _alarm_table(report: Report) -> str:
    rows = [f"{'false alarms':14}{'lines':>8}{'block':>9}{'review':>9}"]
    for language, (blocked, reviewed) in report.by_language.items():
        rows.append(f"{language:14}{blocked.total:8}{blocked.value:9.4f}{reviewed.value:9.4f}")
    whole = report.blocked
    rows.append(f"{'all':14}{whole.total:8}{whole.value:9.4f}{report.reviewed.value:9.4f}")
    return "\n".join([*rows, ""])


def _details(report: Report) -> str:
    rows = ["missed:"]
    rows += [
        f"  {t.offence.category} {t.family}: {t.typed!a} ({t.offence.text})" for t in report.misses
    ]
    rows.append("false alarms:")
    for each in report.false_alarms:
        rules = ", ".join(finding.rule for finding in each.report.findings)
        rows.append(f"  {each.report.verdict} {each.line.scope}: {each.line.text} ({rules})")
    return "\n".join([*rows, ""])
