"""What the page of weekly learning shows: what was found, what is proposed, how it does."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from vaultcrm.controls.auth import require_creator
from vaultcrm.db.queries import examples, learning, personalities, proposals
from vaultcrm.domain.errors import NotFound
from vaultcrm.domain.learning import (
    Course,
    Finding,
    Proposal,
    ProposalStatus,
    Watch,
    WatchState,
    WeekReport,
)
from vaultcrm.domain.personality import EmojiStyle, Personality
from vaultcrm.entrypoints.web.frame.desk import Desk
from vaultcrm.entrypoints.web.personalities.view import shown_pieces
from vaultcrm.pipeline.learning.telling import sentence
from vaultcrm.pipeline.personality import personality_or_default
from vaultcrm.pipeline.personality.differences import Difference, differences
from vaultcrm.workflows.decide_proposal import version_in_force
from vaultcrm.workflows.parts import Parts

__all__ = ["shown_pieces"]

HISTORY = 20

STATUSES: Mapping[ProposalStatus, str] = {
    ProposalStatus.PROPOSED: "waits for you",
    ProposalStatus.APPLIED: "applied",
    ProposalStatus.DISMISSED: "dismissed",
    ProposalStatus.ROLLED_BACK: "taken back",
    ProposalStatus.SUPERSEDED: "overtaken",
}
WATCHES: Mapping[WatchState, str] = {
    WatchState.WATCHING: "is watched",
    WatchState.WORSE: "does worse than before",
    WatchState.KEPT: "was watched for 8 weeks and stays",
    WatchState.OVERTAKEN: "another version is in force by now",
}
FIGURES: Mapping[str, str] = {
    "unchanged": "Drafts sent unchanged",
    "replied": "Messages answered",
    "revenue": "Revenue a message",
}


@dataclass(frozen=True, slots=True)
class Shown:
    """A proposal with what it changes; `may_go_back` is whether it is the version in force."""

    proposal: Proposal
    differences: tuple[Difference, ...]
    may_go_back: bool = False

    @property
    def told(self) -> tuple[str, ...]:
        return tuple(sentence(one) for one in self.proposal.findings)


@dataclass(frozen=True, slots=True)
class Learning:
    """All of the page for one creator. `also` was found and changes nothing of a voice."""

    creator_id: UUID
    report: WeekReport | None
    also: tuple[str, ...]
    waiting: Shown | None
    applied: Shown | None
    history: tuple[Proposal, ...]
    examples: tuple[str, ...]
    applies_itself: bool


async def open_learning(parts: Parts, desk: Desk, creator_id: UUID) -> Learning:
    """The page of one creator; raises NotFound for one that is not the caller's."""
    require_creator(desk.caller, creator_id)
    if creator_id not in desk.creators:
        raise NotFound("creator")
    async with parts.pool.connection() as connection:
        reports = await (await learning.latest_reports(connection, [creator_id])).answer()
        listed = await (await proposals.listed(connection, [creator_id], most=HISTORY)).answer()
        shown_texts = await examples.texts(connection, creator_id)
        current = await version_in_force(connection, creator_id)
        waiting = next((one for one in listed if one.status is ProposalStatus.PROPOSED), None)
        applied = next((one for one in listed if one.status is ProposalStatus.APPLIED), None)
        before = current
        if applied is not None and applied.base_version:
            sent = await personalities.saved_version(connection, creator_id, applied.base_version)
            saved = await sent.answer()
            before = current if saved is None else saved.voice
        elif applied is not None:
            before = personality_or_default(None, creator_id)
    report = reports.get(creator_id)
    rested = set() if waiting is None else set(waiting.findings)
    return Learning(
        creator_id=creator_id,
        report=report,
        also=() if report is None else _told(report.findings, rested),
        waiting=None if waiting is None else Shown(waiting, changes(current, waiting.fields)),
        applied=None
        if applied is None
        else Shown(
            applied,
            changes(before, applied.fields),
            may_go_back=current.version == applied.applied_version,
        ),
        history=tuple(one for one in listed if one is not waiting),
        examples=tuple(shown_texts),
        applies_itself=desk.flags_of(creator_id).learning_applies,
    )


def _told(findings: tuple[Finding, ...], without: set[Finding]) -> tuple[str, ...]:
    return tuple(sentence(one) for one in findings if one not in without)


def changes(before: Personality, fields: Mapping[str, Any]) -> tuple[Difference, ...]:
    """What a proposal's fields change in a voice."""
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()
    }
    if "emoji_style" in values:
        values["emoji_style"] = EmojiStyle(values["emoji_style"])
    return differences(before, replace(before, **values))


def week_of(week: date) -> str:
    """`16-22 November 2026`."""
    last = week + timedelta(days=6)
    first = f"{week.day}" if week.month == last.month else f"{week.day} {week:%B}"
    return f"{first}–{last.day} {last:%B %Y}"


def figures(watch: Watch) -> list[tuple[str, str, str, str]]:
    """Each figure with before, after and the interval of the difference, in words."""
    return [_figure(one) for one in watch.courses]


def _figure(one: Course) -> tuple[str, str, str, str]:
    if one.name == "revenue":
        return (
            FIGURES[one.name],
            f"{one.before / 100:.2f}",
            f"{one.after / 100:.2f}",
            f"{_signed(one.low / 100)} to {_signed(one.high / 100)}",
        )
    return (
        FIGURES[one.name],
        f"{100 * one.before:.0f} %",
        f"{100 * one.after:.0f} %",
        f"{_signed(100 * one.low, 0)} to {_signed(100 * one.high, 0)} points",
    )


def _signed(value: float, digits: int = 2) -> str:
    text = f"{abs(value):.{digits}f}"
    return text if not float(text) else ("+" if value > 0 else "−") + text
