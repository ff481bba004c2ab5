"""What the pages of A/B tests show: lists, the form with what may be compared, and a result."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from vaultcrm.adapters.llm.catalog import usable_models
from vaultcrm.db.pending import Record
from vaultcrm.db.queries import personalities, templates
from vaultcrm.domain.errors import FieldProblem, InvalidInput
from vaultcrm.domain.experiments import (
    SMALLEST_EFFECTS,
    AbTestDesign,
    AbTestStatus,
    Allocation,
    Guardrail,
    Metric,
    Variant,
    VariantKind,
)
from vaultcrm.domain.money import Money
from vaultcrm.entrypoints.web.frame.desk import Desk
from vaultcrm.entrypoints.web.text import words
from vaultcrm.pipeline.experiments.verdict import Outcome
from vaultcrm.pipeline.prompting import PROMPT_VERSIONS
from vaultcrm.workflows.parts import Parts

MOST_ROWS = 4
"""So many variants the form takes; the API takes more."""
NAMES = "ABCD"
MOST_CHOICES = 200

KINDS: Mapping[VariantKind, tuple[str, str]] = {
    VariantKind.PROMPT: ("Prompts", "How the model is told what a good message is."),
    VariantKind.PERSONALITY: ("Voices", "Saved versions of the creator’s personality."),
    VariantKind.MODEL: ("Models", "Which language model writes. Each is priced as itself."),
    VariantKind.TEMPLATE: (
        "Templates",
        "What drafts of one type begin from, where nobody asks for anything else.",
    ),
}
METRICS: Mapping[Metric, str] = {
    Metric.REPLY_RATE: "Answered messages",
    Metric.PURCHASE_RATE: "Bought messages",
    Metric.REVENUE: "Revenue a message",
    Metric.APPROVED_UNCHANGED: "Drafts sent unchanged",
}
GUARDRAILS: Mapping[Guardrail, str] = {
    Guardrail.FILTER_HITS: "Filter findings",
    Guardrail.REJECTIONS: "Rejected",
    Guardrail.COMPLAINTS: "Complaints",
}
ALLOCATIONS: Mapping[Allocation, str] = {
    Allocation.FIXED: "By weight throughout: the surest comparison",
    Allocation.THOMPSON: "Each day more to what does better: less is lost on the way",
}
STATUSES: Mapping[AbTestStatus, str] = {
    AbTestStatus.DRAFT: "Not started",
    AbTestStatus.RUNNING: "Running",
    AbTestStatus.ENDED: "Ended",
}
TONES: Mapping[Outcome, str] = {
    Outcome.MISTRUST: "bad",
    Outcome.TOO_FEW: "",
    Outcome.OPEN: "",
    Outcome.NO_DIFFERENCE: "good",
    Outcome.BETTER: "good",
    Outcome.WORSE: "good",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One variant as it was typed."""

    name: str = ""
    reference: str = ""
    weight: str = "1"


@dataclass(frozen=True, slots=True)
class Typed:
    """The form as it was typed, and what is wrong with it by field."""

    kind: VariantKind = VariantKind.PROMPT
    name: str = ""
    metric: Metric = Metric.REPLY_RATE
    effect: str = ""
    allocation: Allocation = Allocation.FIXED
    rows: Sequence[Row] = ()
    problems: Mapping[str, str] = field(default_factory=dict)

    @property
    def shown_rows(self) -> Sequence[Row]:
        """The rows of the form: what was typed, then empty ones."""
        empty = [Row(name) for name in NAMES[len(self.rows) :]]
        return [*self.rows, *empty][:MOST_ROWS]

    @property
    def shown_effect(self) -> str:
        return self.effect or f"{SMALLEST_EFFECTS[self.metric] * self.per_unit:g}"

    @property
    def per_unit(self) -> float:
        """Points are hundredths of a share; money is typed in whole units of a hundred."""
        return 0.01 if self.metric is Metric.REVENUE else 100.0

    def variants(self) -> list[Variant]:
        """The variants that were typed; raises InvalidInput for a weight that is no number."""
        found = []
        for index, row in enumerate(self.rows):
            if not row.reference:
                continue
            weight = _number(row.weight, f"variants.{index}.weight")
            if not 0 < weight <= 1_000:
                raise InvalidInput(
                    FieldProblem(f"variants.{index}.weight", "must be above 0, at most 1,000")
                )
            name = row.name.strip() or NAMES[index]
            found.append(Variant(name, weight, self.kind, row.reference))
        return found

    def design(self) -> AbTestDesign:
        """How the test is decided; raises InvalidInput."""
        effect = _number(self.shown_effect, "effect") / self.per_unit
        most = 1_000_000 if self.metric is Metric.REVENUE else 1
        if not 0 < effect <= most:
            raise InvalidInput(FieldProblem("effect", "must be above 0, at most 100 points"))
        return AbTestDesign(self.metric, effect, self.allocation)

    def with_problems(self, found: Sequence[FieldProblem]) -> "Typed":
        told = {
            problem.field: words.phrases.sentence(problem.reason) for problem in reversed(found)
        }
        return replace(self, problems=told)


def _number(text: str, name: str) -> float:
    try:
        return float(text.replace(",", "."))
    except ValueError:
        raise InvalidInput(FieldProblem(name, "must be a number such as 3 or 0.5")) from None


@dataclass(frozen=True, slots=True)
class Choice:
    value: str
    label: str


async def choices_of(parts: Parts, creator_id: UUID, kind: VariantKind) -> list[Choice]:
    """What a creator has of a kind to compare."""
    match kind:
        case VariantKind.PROMPT:
            return [Choice(one, f"{one}: {told}") for one, (_, told) in PROMPT_VERSIONS.items()]
        case VariantKind.MODEL:
            models = usable_models(parts.now().date())
            own = [] if parts.drafter.reads_repertoire else [parts.drafter.model]
            return [Choice(one, one) for one in dict.fromkeys([*own, *models])]
        case VariantKind.PERSONALITY:
            async with parts.pool.connection() as connection:
                sent = await personalities.versions(
                    connection, creator_id, before=None, limit=MOST_CHOICES
                )
                saved = await sent.answer()
            found = [
                Choice(
                    str(one.voice.version),
                    f"Version {one.voice.version}, {one.voice.personality_type}, saved "
                    f"{one.saved_at:%d %b}",
                )
                for one in saved
            ]
            return [*found, Choice("0", "The plain voice that every creator begins with")]
        case VariantKind.TEMPLATE:
            async with parts.pool.connection() as connection:
                sent_names = await templates.names_in_use(connection, creator_id, MOST_CHOICES)
                return [
                    Choice(str(one), f"{words.drafts.TYPES[category]}: {name}")
                    for one, name, category in await sent_names.answer()
                ]


@dataclass(frozen=True, slots=True)
class VariantFigures:
    """One line of the result: what a variant is, and what it has come to so far."""

    name: str
    reference: str
    share: str
    fans: int
    drafts: int
    value: str
    reach: str
    guardrails: Sequence[str]
    stopped: str


@dataclass(frozen=True, slots=True)
class Shown:
    """A test as its page shows it."""

    test: Record
    kind: str
    metric: str
    status: str
    effect: str
    verdict: str
    tone: str
    lines: Sequence[VariantFigures]
    what_if: Sequence[tuple[str, str, str]]
    chart: Mapping[str, Any] | None
    days: Sequence[tuple[str, Sequence[str]]]
    compared: Sequence[str]
    notes: Sequence[str]

    @property
    def may_start(self) -> bool:
        return bool(self.test["status"] == AbTestStatus.DRAFT)

    @property
    def may_end(self) -> bool:
        return bool(self.test["status"] == AbTestStatus.RUNNING)


def shown(test: Record, labels: Mapping[str, str]) -> Shown:
    """A test in words. `labels` says what references are called."""
    results, metric = test["results"], Metric(test["metric"])
    sized = _Sized(metric, (results.get("currencies") or ["USD"])[0])
    verdict = results.get("verdict")
    series = results.get("series", [])
    compared = [
        one["name"]
        for one in test["variants"]
        if any(one["name"] in day["differences"] for day in series)
    ]
    effect = test["smallest_effect"] or AbTestDesign(metric).effect
    return Shown(
        test=test,
        kind=KINDS[VariantKind(test["kind"])][0],
        metric=METRICS[metric],
        status=STATUSES[AbTestStatus(test["status"])],
        effect=sized.difference(effect).removeprefix("+"),
        verdict=verdict["sentence"] if verdict else _not_yet(test),
        tone=TONES[Outcome(verdict["outcome"])] if verdict else "",
        lines=[_line(test, one, labels, sized) for one in test["variants"]],
        what_if=[
            (one["policy"], sized.told(one["ips"]), sized.told(one["dr"]))
            for one in results.get("whatIf", [])
        ],
        chart=_chart(series, compared, sized) if len(series) > 1 else None,
        days=[
            (
                day["day"],
                [sized.interval(day["differences"].get(name)) for name in compared],
            )
            for day in reversed(series)
        ],
        compared=compared,
        notes=results.get("notes", []),
    )


def _not_yet(test: Record) -> str:
    if test["status"] == AbTestStatus.DRAFT:
        return "Not started. Nobody gets a variant of it yet."
    return "It has just begun: what it comes to is looked at every quarter of an hour."


def _line(
    test: Record, variant: Mapping[str, Any], labels: Mapping[str, str], sized: "_Sized"
) -> VariantFigures:
    name = variant["name"]
    known = test["results"].get("variants", {}).get(name, {})
    measures = known.get("measures", {})
    main = measures.get(test["metric"], {})
    share = test["shares"].get(name, 0)
    return VariantFigures(
        name=name,
        reference=labels.get(variant["reference"], variant["reference"]),
        share=f"{share:.0%}" if test["status"] == AbTestStatus.RUNNING else "–",
        fans=known.get("fans", 0),
        drafts=known.get("generations", 0),
        value=sized.value(main.get("value")),
        reach=""
        if main.get("low") is None
        else f"{sized.value(max(0, main['low']))} to {sized.value(main['high'])}",
        guardrails=[
            "–" if (value := measures.get(one.value, {}).get("value")) is None else f"{value:.1%}"
            for one in Guardrail
        ],
        stopped=test["stopped"].get(name, {}).get("why", ""),
    )


@dataclass(frozen=True, slots=True)
class _Sized:
    """Amounts of a metric in words: shares as per cent and points, or money."""

    metric: Metric
    currency: str

    @property
    def is_money(self) -> bool:
        return self.metric is Metric.REVENUE

    def value(self, value: float | None) -> str:
        if value is None:
            return "–"
        if self.is_money:
            return str(Money(max(0, round(value)), self.currency))
        return f"{value:.1%}"

    def difference(self, value: float) -> str:
        if self.is_money:
            sign = "−" if value < 0 else "+"
            return f"{sign}{Money(round(abs(value)), self.currency)}"
        return f"{value * 100:+.1f} points".replace("-", "−")

    def interval(self, found: Sequence[float] | None) -> str:
        if found is None:
            return "–"
        _, low, high = found
        return f"{self.difference(low)} to {self.difference(high)}"

    def told(self, found: Mapping[str, Any]) -> str:
        if found.get("reason"):
            return f"No answer: {found['reason']}"
        low, high = self.value(max(0, found["low"])), self.value(found["high"])
        return f"{self.value(found['estimate'])} ({low} to {high})"


def _chart(
    series: Sequence[Mapping[str, Any]], compared: Sequence[str], sized: _Sized
) -> dict[str, Any]:
    """What the script draws: for each variant its estimate, low and high by day, in points or in
    whole units of money.
    """
    factor = 0.01 if sized.is_money else 100.0
    lines = []
    for name in compared:
        found = [day["differences"].get(name) for day in series]
        lines.append(
            {
                "name": name,
                "values": [
                    [None if one is None else round(one[part] * factor, 3) for one in found]
                    for part in range(3)
                ],
            }
        )
    return {
        "unit": sized.currency if sized.is_money else "points",
        "days": [day["day"] for day in series],
        "lines": lines,
    }


def creators_shown(desk: Desk, creator_id: UUID | None) -> list[UUID]:
    return [creator_id] if creator_id else list(desk.creators)
