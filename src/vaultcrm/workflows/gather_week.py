"""Gather one week of a creator's messages: read what became of them, keep the sums.

    phrases to ask about ──> a tally of all messages ──> counts of what people changed ──> sums

Sums of a week are written once and never changed. Two passes over the messages: one over a sample,
for phrases that are common, one over all.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import date, datetime
from uuid import UUID

from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import learning
from vaultcrm.db.queries.learning import start_of
from vaultcrm.domain.learning import PHRASE, WeekSums
from vaultcrm.pipeline.learning.batches import batch_of
from vaultcrm.pipeline.learning.candidates import Candidates, says_what_to_ask
from vaultcrm.pipeline.learning.edits import Edits
from vaultcrm.pipeline.learning.phrases import MOST_TRACKED, Finder
from vaultcrm.pipeline.learning.tallying import Tally
from vaultcrm.pipeline.learning.traits import ARMS, names_of, pieces_of
from vaultcrm.pipeline.learning.weeks import WEEK, oldest_remembered
from vaultcrm.workflows.parts import Parts

SAMPLE = 4_000
"""Of a week's messages: in so many, phrases are looked for. They are then counted in all."""

Progress = Callable[[int, int], None]
"""Is told how many messages of how many have been read."""


async def gather(
    parts: Parts, creator_id: UUID, week: date, on_progress: Progress | None = None
) -> None:
    """Read a week's messages and keep their sums; nothing if they are kept already."""
    start, end = start_of(week), start_of(week) + WEEK
    async with parts.transaction() as connection:
        if await learning.weeks(connection, creator_id, week, week):
            return
        earlier = await learning.weeks(connection, creator_id, oldest_remembered(week), week - WEEK)
        size, currency = await learning.week_size(connection, creator_id, start, end)
        known = _asked_before(earlier)
        fresh, edited = await _new_phrases(connection, creator_id, start, end, size, known)
        tally = Tally([*known, *fresh, *edited])
        await _tally(connection, creator_id, start, end, tally, currency, size, on_progress)
        edits, new_edits = Edits(known), Edits(edited)
        async for before, after, fan in _decided(connection, creator_id, start, end):
            edits.add(before, after)
            if not says_what_to_ask(fan):
                new_edits.add(before, after)
        sums = WeekSums(
            tally.messages,
            tally.offers,
            edits.drafts,
            edits.modified,
            {**tally.scores(currency), **edits.scores(), **new_edits.scores()},
        )
        await learning.keep_week(connection, creator_id, week, sums, parts.now())


def _asked_before(earlier: Sequence[tuple[date, WeekSums]]) -> list[str]:
    """The phrases that earlier weeks asked about, the longest asked first."""
    arms = dict.fromkeys(one.arm for _, sums in earlier for one in sums.scores)
    return [arm.removeprefix(PHRASE) for arm in arms if arm.startswith(PHRASE)][:MOST_TRACKED]


async def _new_phrases(
    connection: Connection,
    creator_id: UUID,
    start: datetime,
    end: datetime,
    size: int,
    known: Sequence[str],
) -> tuple[list[str], list[str]]:
    """Phrases to take up: common in messages, and common among what people changed."""
    candidates = Candidates(known)
    if candidates.room <= 0:
        return [], []
    share = min(256, max(1, 256 * SAMPLE // max(size, 1)))
    rows = learning.stream(connection, learning.TEXTS, creator_id, start, end, share=share)
    async for batch in rows:
        for text, fan, name in batch:
            candidates.add_message(text, fan, name)
    async for before, after, fan in _decided(connection, creator_id, start, end):
        candidates.add_edit(before, after, fan)
    return candidates.chosen()


async def _decided(
    connection: Connection, creator_id: UUID, start: datetime, end: datetime
) -> AsyncIterator[tuple[list[str], list[str], UUID]]:
    """Drafts as they were written and as they were sent, in pieces, with the fan."""
    async for batch in learning.stream(connection, learning.DECIDED, creator_id, start, end):
        for before, after, fan, name in batch:
            names = names_of(name)
            was = pieces_of(before, names)
            yield was, was if before == after else pieces_of(after, names), fan


async def _tally(
    connection: Connection,
    creator_id: UUID,
    start: datetime,
    end: datetime,
    tally: Tally,
    currency: str,
    size: int,
    on_progress: Progress | None,
) -> None:
    finder = Finder([name.removeprefix(PHRASE) for name in tally.names[len(ARMS) :]])
    read = 0
    async for rows in learning.stream(connection, learning.OUTCOMES, creator_id, start, end):
        tally.add(batch_of(rows, finder, currency))
        read += len(rows)
        if on_progress is not None:
            on_progress(read, size)
