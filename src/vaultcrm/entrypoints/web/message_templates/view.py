"""What the templates' page shows: the list, one template in the editor, its preview and figures."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from urllib.parse import urlencode
from uuid import UUID

from vaultcrm.db.pending import Connection, Record
from vaultcrm.db.queries import template_outcomes, templates
from vaultcrm.db.queries.templates import TemplateFilter
from vaultcrm.domain.errors import FieldProblem, InvalidInput, NotFound
from vaultcrm.domain.estimates import Estimate
from vaultcrm.domain.generation import GenerationType
from vaultcrm.domain.money import Money, minor_per_major
from vaultcrm.domain.safety import Finding
from vaultcrm.domain.template import (
    DAYS_OF_USES,
    NO_OUTCOMES,
    FilledStretch,
    Template,
    TemplateDraft,
    TemplateOutcomes,
    TemplateStats,
)
from vaultcrm.entrypoints.web.frame.desk import Desk
from vaultcrm.entrypoints.web.text import times, words
from vaultcrm.entrypoints.web.text.marking import Segment, segments
from vaultcrm.workflows.parts import Parts
from vaultcrm.workflows.preview_template import TemplatePreview, preview_template

TEMPLATES = 50
FANS = 20
_PRICE = re.compile(r"(\d{1,9})(?:[.,](\d{1,3}))?")


# ---- the list


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which templates are listed, as the address tells."""

    creator_id: UUID | None = None
    filter: TemplateFilter = field(default_factory=TemplateFilter)

    def query(self, **more: object) -> str:
        """`?category=reply`, with what is wanted and more; "" when there is nothing to tell."""
        told = {
            "creator": self.creator_id,
            "category": self.filter.category,
            "language": self.filter.language,
            "search": self.filter.search or None,
            "archived": "true" if self.filter.archived else None,
            **more,
        }
        given = urlencode({name: value for name, value in told.items() if value is not None})
        return f"?{given}" if given else ""

    @property
    def narrows(self) -> bool:
        return self != Wanted()


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of templates; `following` leads to the next one."""

    wanted: Wanted
    rows: tuple[Template, ...]
    following: tuple[UUID, UUID] | None
    languages: tuple[str, ...]
    currencies: Mapping[UUID, str]
    outcomes: Mapping[UUID, TemplateOutcomes]

    def price(self, template: Template) -> Money | None:
        """In the creator's usual currency."""
        minor = template.draft.price_minor
        return None if minor is None else Money(minor, self.currencies[template.creator_id])


async def read_listed(
    connection: Connection, desk: Desk, wanted: Wanted, after: tuple[UUID, UUID] | None
) -> Listed:
    """One page of the list; raises NotFound for a creator that is not the caller's."""
    creator_ids = list(desk.creators)
    if wanted.creator_id is not None:
        if wanted.creator_id not in desk.creators:
            raise NotFound("creator")
        creator_ids = [wanted.creator_id]
    async with connection.pipeline():
        sent = await templates.list_templates(
            connection, creator_ids, TEMPLATES + 1, after=after, wanted=wanted.filter
        )
        languages_sent = await templates.languages_of(connection, creator_ids)
        currencies_sent = await templates.currencies_of(connection, creator_ids)
    found = [templates.as_template(record) for record in await sent.answer()]
    rows = tuple(found[:TEMPLATES])
    following = (rows[-1].creator_id, rows[-1].id) if len(found) > TEMPLATES else None
    outcomes_sent = await template_outcomes.outcomes(
        connection, creator_ids, [template.id for template in rows], desk.now
    )
    return Listed(
        wanted,
        rows,
        following,
        await languages_sent.answer(),
        await currencies_sent.answer(),
        await outcomes_sent.answer(),
    )


# ---- the editor


@dataclass(frozen=True, slots=True)
class Typed:
    """The fields of the form as they were typed."""

    name: str = ""
    category: GenerationType = GenerationType.REPLY
    language: str = "en"
    text: str = ""
    price: str = ""

    def draft(self, currency: str) -> TemplateDraft:
        """What was typed as a template; raises InvalidInput for a price that cannot be read."""
        return TemplateDraft(
            name=self.name.strip(),
            category=self.category,
            language=self.language.strip().lower(),
            text=self.text.replace("\r\n", "\n"),
            price_minor=read_price(self.price, currency),
        )


def read_price(text: str, currency: str) -> int | None:
    """A price in minor units; None for an empty field. Raises InvalidInput."""
    if not text.strip():
        return None
    units = minor_per_major(currency)
    found = _PRICE.fullmatch(text.strip())
    if found is None or 10 ** len(found[2] or "") > units:
        example = "25 or 25.50" if units > 1 else "2500"
        raise InvalidInput(FieldProblem("priceMinor", f"write it like {example}"))
    return int(Decimal(f"{found[1]}.{found[2] or 0}") * units)


def typed_of(draft: TemplateDraft, currency: str) -> Typed:
    """A template as it stands in the form."""
    price = None if draft.price_minor is None else Money(draft.price_minor, currency)
    return Typed(
        draft.name, draft.category, draft.language, draft.text, words.forms.price_field(price)
    )


@dataclass(frozen=True, slots=True)
class Editor:
    """One template opened. `template` is None for a new one.

    `key` tells one form from another. `theirs` is what somebody else saved since the form was
    opened.
    """

    key: str
    creator_id: UUID
    currency: str
    typed: Typed
    template: Template | None = None
    outcomes: TemplateOutcomes = NO_OUTCOMES
    theirs: Typed | None = None
    problems: Mapping[str, Sequence[str]] = field(default_factory=dict)
    seen: str = ""
    """When the template was last changed, as the form tells it back."""

    def with_problems(self, typed: Typed, found: Sequence[FieldProblem]) -> "Editor":
        """The same form with what was typed and what is wrong with it, field by field."""
        by_field: dict[str, list[str]] = {}
        for problem in found:
            by_field.setdefault(problem.field, []).append(problem.reason)
        return replace(self, typed=typed, problems=by_field)

    def against(self, typed: Typed) -> "Editor":
        """The form with what was typed, beside what somebody else has saved meanwhile."""
        return replace(self, typed=typed, theirs=self.typed)

    def as_seen(self, seen: str) -> "Editor":
        """The form that still knows which version it was opened with."""
        return replace(self, seen=seen or self.seen)


async def open_template(connection: Connection, desk: Desk, template_id: UUID) -> Editor:
    """A template in the editor; raises NotFound."""
    found = await (
        await templates.get_template(connection, list(desk.creators), template_id)
    ).answer()
    if not found:
        raise NotFound("template")
    template = templates.as_template(found[0])
    currency = await (await templates.currency_of(connection, template.creator_id)).answer()
    outcomes_sent = await template_outcomes.outcomes(
        connection, [template.creator_id], [template.id], desk.now
    )
    return Editor(
        outcomes=(await outcomes_sent.answer()).get(template.id, NO_OUTCOMES),
        key=template.id.hex,
        creator_id=template.creator_id,
        currency=currency,
        typed=typed_of(template.draft, currency),
        template=template,
        seen=template.updated_at.isoformat(),
    )


async def new_template(
    connection: Connection, desk: Desk, creator_id: UUID | None, copied: UUID | None
) -> Editor:
    """An empty form, or one with what another template holds; raises NotFound."""
    if copied is not None:
        editor = await open_template(connection, desk, copied)
        copy = replace(editor.typed, name=f"{editor.typed.name[:180]} (copy)")
        return replace(editor, key=f"copy-{editor.key}", template=None, typed=copy, seen="")
    creator_id = creator_id or next(iter(desk.creators), None)
    if creator_id is None or creator_id not in desk.creators:
        raise NotFound("creator")
    currency = await (await templates.currency_of(connection, creator_id)).answer()
    language = desk.creators[creator_id].language
    return Editor("new", creator_id, currency, Typed(language=language))


# ---- the preview


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of the filled text: what it was filled in for, and how it is marked."""

    filled: FilledStretch
    parts: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class Shown:
    """A preview as the page shows it. `price_problem` says why the price cannot be read."""

    preview: TemplatePreview
    pieces: tuple[Piece, ...]
    price_problem: str = ""


async def show_preview(
    parts: Parts,
    connection: Connection,
    creator_id: UUID,
    text: str,
    price: str,
    currency: str,
    conversation_id: UUID | None,
) -> Shown:
    """What was typed, as a fan would read it."""
    try:
        price_minor, price_problem = read_price(price, currency), ""
    except InvalidInput as refused:
        price_minor, price_problem = None, refused.problems[0].reason
    preview = await preview_template(
        parts,
        connection,
        creator_id,
        text.replace("\r\n", "\n"),
        price_minor,
        conversation_id,
    )
    pieces = pieces_of(preview.filled.stretches, preview.safety.findings)
    return Shown(preview, pieces, price_problem)


def pieces_of(stretches: Sequence[FilledStretch], findings: Sequence[Finding]) -> tuple[Piece, ...]:
    """The filled text cut at variables and at findings; joined again, it is the text."""
    pieces: list[Piece] = []
    start = 0
    for stretch in stretches:
        end = start + len(stretch.text)
        here = [
            replace(found, start=max(found.start, start) - start, end=min(found.end, end) - start)
            for found in findings
            if found.start < end and found.end > start
        ]
        pieces.append(Piece(stretch, segments(stretch.text, here)))
        start = end
    return tuple(pieces)


async def read_fans(
    connection: Connection, creator_id: UUID, search: str, chosen: UUID | None
) -> Sequence[Record]:
    """Fans to choose from, and the one who is chosen first where the search has left them out."""
    sent = await templates.fans_to_preview(connection, creator_id, search.strip(), FANS)
    found = await sent.answer()
    if chosen is None or search or any(one["conversation_id"] == chosen for one in found):
        return found
    fan = await (await templates.filled_for(connection, [creator_id], chosen)).answer()
    if fan is None:
        return found
    return [
        {"conversation_id": chosen, "display_name": fan.facts.fan_name, "handle": ""},
        *found,
    ]


# ---- how it does


@dataclass(frozen=True, slots=True)
class Bar:
    """One day of the chart: place and height in the units of its view box, and what it says."""

    x: int
    y: int
    height: int


CHART_HEIGHT = 32
BAR_STEP = 8


@dataclass(frozen=True, slots=True)
class Chart:
    """Uses a day over the last 30 days, and the same in words."""

    bars: tuple[Bar, ...]
    width: int
    height: int
    says: str


def chart_of(stats: TemplateStats, now: datetime) -> Chart | None:
    """The chart of a template's uses; None while there was none in the last 30 days."""
    utc = now.astimezone(UTC)  # days are counted in UTC
    uses = stats.by_day(utc.date())
    most = max(uses)
    if not most:
        return None
    heights = [0 if not n else max(2, round(CHART_HEIGHT * n / most)) for n in uses]
    day = utc - timedelta(days=len(uses) - 1 - uses.index(most))
    says = f"{words.phrases.count(sum(uses), 'use')} in {DAYS_OF_USES} days"
    if sum(n > 0 for n in uses) > 1:
        says += f", most on {times.date(day, utc)} ({most:,})"
    return Chart(
        tuple(
            Bar(BAR_STEP * place, CHART_HEIGHT - height, height)
            for place, height in enumerate(heights)
            if height
        ),
        BAR_STEP * len(uses),
        CHART_HEIGHT,
        says,
    )


def share(part: int, whole: int, of: Estimate | None) -> str:
    """`22 of 40 (55 %, between 40 and 69 %)`; without the share where there is too little."""
    counted = f"{part:,} of {whole:,}"
    if of is None:
        return counted
    low, high = 100 * of.low, 100 * of.high
    return f"{counted} ({100 * of.value:.0f} %, between {low:.0f} and {high:.0f} %)"


def interval(of: Estimate) -> str:
    """`40-69 %`."""
    return f"{100 * of.low:.0f}-{100 * of.high:.0f} %"


def mean(estimate: Estimate, currency: str) -> str:
    """`$1.20 a message, between $0.40 and $2.00`."""
    value, low, high = (
        Money(round(part), currency) for part in (estimate.value, estimate.low, estimate.high)
    )
    return f"{value} a message, between {low} and {high}"
