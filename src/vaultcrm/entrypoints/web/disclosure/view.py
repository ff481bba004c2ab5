"""Disclosure as it is shown: with a fan, and on the page of the wordings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from vaultcrm.db.pending import Record
from vaultcrm.domain.disclosure import Due, Why, disclosure_due
from vaultcrm.domain.generation import DeliveryStatus
from vaultcrm.domain.situation import Situation
from vaultcrm.entrypoints.web.frame.desk import Desk
from vaultcrm.pipeline.disclosure import LONGEST_WORDING, languages
from vaultcrm.workflows.parts import Parts
from vaultcrm.workflows.word_disclosure import WordingInForce, read_wordings

SHOWN = 10
"""So many disclosures of a fan are listed."""

WHY: Mapping[Why, str] = {
    Why.FIRST: "first contact",
    Why.AGAIN: "told again after the set time",
    Why.ASKED: "the fan asked",
    Why.ORDERED: "sent by hand",
}
ON_ITS_WAY = frozenset({DeliveryStatus.PENDING, DeliveryStatus.SENDING})


@dataclass(frozen=True, slots=True)
class Told:
    """One time that a fan was told, or is about to be."""

    why: str
    language: str
    text: str
    by: str | None
    at: datetime
    status: DeliveryStatus | None


@dataclass(frozen=True, slots=True)
class ShownDisclosure:
    """What a fan knows about AI. `due` is why they are to be told, `told` the latest first."""

    due: Due | None
    told: tuple[Told, ...]

    @property
    def is_on_its_way(self) -> bool:
        return any(one.status in ON_ITS_WAY for one in self.told)

    @property
    def has_asked(self) -> bool:
        return self.due is Due.ASKED


def shown_disclosure(
    parts: Parts, situation: Situation, rows: Sequence[Record], now: datetime
) -> ShownDisclosure:
    """A fan's disclosures (`disclosures.of_fan`) and whether one is due."""
    due = disclosure_due(
        situation.fan.disclosed_at,
        situation.conversation.disclosure_asked_at,
        every_days=parts.settings.ai_disclosure_every_days,
        now=now,
    )
    return ShownDisclosure(due, tuple(_told(row) for row in rows))


def _told(row: Record) -> Told:
    known = languages().get(row["language"])
    status = row["delivery_status"]
    return Told(
        why=WHY[Why(row["why"])],
        language=known.name if known else row["language"],
        text=row["text"] or "",
        by=row["by"],
        at=row["sent_at"] or row["created_at"],
        status=None if status is None else DeliveryStatus(status),
    )


@dataclass(frozen=True, slots=True)
class Typed:
    """What somebody has written and could not save, and why."""

    text: str
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WordingPage:
    """The wordings of one creator with one of them opened. `every_days` is 0 for once only."""

    creator_id: UUID
    wordings: tuple[WordingInForce, ...]
    opened: WordingInForce
    every_days: int
    typed: Typed | None = None
    said: str = ""
    longest: int = field(default=LONGEST_WORDING)

    @property
    def text(self) -> str:
        return self.typed.text if self.typed else self.opened.wording.text

    @property
    def problems(self) -> tuple[str, ...]:
        return self.typed.problems if self.typed else ()


async def open_wordings(
    parts: Parts,
    desk: Desk,
    creator_id: UUID,
    language: str | None,
    *,
    typed: Typed | None = None,
    said: str = "",
) -> WordingPage:
    """The page of a creator, opened at a language, else at the creator's own."""
    found = await read_wordings(parts, desk.caller, creator_id)
    by_language = {one.wording.language: one for one in found}
    creator = desk.creators.get(creator_id)
    own = by_language.get(creator.language) if creator else None
    opened = by_language.get(language or "") or own or found[0]
    every_days = parts.settings.ai_disclosure_every_days
    return WordingPage(creator_id, found, opened, every_days, typed, said)
