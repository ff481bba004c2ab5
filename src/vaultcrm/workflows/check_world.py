"""What must hold at the end of a simulation, whatever has happened in it."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

from vaultcrm.db.queries import worlds
from vaultcrm.db.queries.worlds import Counted, Kept, Sent
from vaultcrm.workflows.attribute_outcomes import attribute_outcomes
from vaultcrm.workflows.parts import Parts
from vaultcrm.workflows.roll_up import roll_up
from vaultcrm.workflows.simulated_facts import CreatorRun
from vaultcrm.workflows.simulated_time import moment


@dataclass(frozen=True, slots=True)
class Invariant:
    """One thing that must hold over all creators: how many were looked at, and what was found."""

    name: str
    looked_at: int
    wrong: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        return not self.wrong


@dataclass(frozen=True, slots=True)
class _Stored:
    """What the database holds of one creator."""

    outbox: tuple[Sent, ...]
    generations: dict[UUID, str]
    messages: tuple[Kept, ...]
    counts: Counted


_Check = Callable[[CreatorRun, _Stored], tuple[int, list[str]]]
"""How much was looked at, and what is wrong with it."""


async def check_world(parts: Parts, runs: Sequence[CreatorRun]) -> tuple[Invariant, ...]:
    """Look at all that is stored, and compare it with what the world has seen.

    Metrics are rolled up for it first, as the worker would have done.
    """
    if not runs:
        return ()
    until = moment(max(run.until for run in runs)) + timedelta(hours=3)
    later = replace(parts, now=lambda: until)
    # What a stopped world has not come to: the work of the night.
    await attribute_outcomes(later)
    for _ in range(1 + int(max(run.until for run in runs) // (7 * 24 * 60)) + 10):
        if not await roll_up(later):
            break
    await roll_up(later)
    pairs = [(run, await _stored(parts, run.creator_id)) for run in runs]
    return tuple(_over_all(pairs, name, check) for name, check in _CHECKS)


async def _stored(parts: Parts, creator_id: UUID) -> _Stored:
    async with parts.pool.connection() as connection:
        return _Stored(
            await worlds.outbox(connection, creator_id),
            await worlds.generations(connection, creator_id),
            await worlds.messages(connection, creator_id),
            await worlds.counts(connection, creator_id),
        )


def _over_all(pairs: Sequence[tuple[CreatorRun, _Stored]], name: str, check: _Check) -> Invariant:
    looked_at, wrong = 0, []
    for run, stored in pairs:
        count, found = check(run, stored)
        looked_at += count
        wrong += [f"{run.handle}: {one}" for one in found]
    return Invariant(name, looked_at, tuple(wrong))


def _sent_once(run: CreatorRun, stored: _Stored) -> tuple[int, list[str]]:
    """Every message that we call sent is in the platform's log, once, and the log has no other."""
    logged = Counter(entry.id for entry in run.log)
    sent = {item.id for item in stored.outbox if item.status == "sent"}
    wrong = [f"{one} was taken {count} times" for one, count in logged.items() if count > 1]
    wrong += [f"{one} is sent, and the platform has not got it" for one in sent - set(logged)]
    wrong += [f"{one} was taken, and is not sent here" for one in set(logged) - sent]
    return len(sent | set(logged)), wrong


def _stands_once(run: CreatorRun, stored: _Stored) -> tuple[int, list[str]]:
    """Every message that left stands in its conversation, once."""
    ours = Counter(
        kept.external_id
        for kept in stored.messages
        if kept.sender == "creator" and kept.author != "imported"
    )
    logged = Counter(entry.external_id for entry in run.log)
    wrong = [f"{one} stands {ours[one]} times" for one in logged if ours[one] != 1]
    wrong += [f"{one} stands there and never left" for one in ours if one not in logged]
    return len(logged), wrong


def _nothing_lost(run: CreatorRun, stored: _Stored) -> tuple[int, list[str]]:
    """Every message of a fan is kept, once, though some were told of twice."""
    kept = Counter(one.external_id for one in stored.messages if one.author == "fan")
    wrong = [f"{ref} is kept {kept[ref]} times" for ref in run.fan_refs if kept[ref] != 1]
    came = set(run.fan_refs)
    wrong += [f"{ref} came from nowhere" for ref in kept if ref[:1] == "w" and ref not in came]
    return len(run.fan_refs), wrong


_FINAL_DELIVERIES = frozenset({"sent", "failed"})


def _one_state(run: CreatorRun, stored: _Stored) -> tuple[int, list[str]]:
    """Every draft is in one state: what was decided to leave has one place in the outbox, and what
    was not has none.
    """
    placed = Counter(item.generation_id for item in stored.outbox if item.generation_id)
    wrong = []
    for generation_id, status in stored.generations.items():
        due = 1 if status in {"approved", "auto_sent"} else 0
        if placed[generation_id] != due:
            wrong.append(
                f"draft {generation_id} is {status}, {placed[generation_id]} times to leave"
            )
    wrong += [f"{one} has no draft" for one in placed if one not in stored.generations]
    return len(stored.generations), wrong


def _all_drafts_known(run: CreatorRun, stored: _Stored) -> tuple[int, list[str]]:
    """Every draft that was made is kept."""
    if len(run.drafts) == len(stored.generations):
        return len(run.drafts), []
    return len(run.drafts), [f"{len(run.drafts)} were made, {len(stored.generations)} are kept"]


def _rest_is_waiting(run: CreatorRun, stored: _Stored) -> tuple[int, list[str]]:
    """What has not left, failed or succeeded has a job that will see to it."""
    open_items = [item for item in stored.outbox if item.status not in _FINAL_DELIVERIES]
    waiting = set(run.jobs_waiting)
    wrong = [
        f"{one.id} is {one.status} without a job"
        for one in open_items
        if str(one.id) not in waiting
    ]
    return len(open_items), wrong


def _money_adds_up(run: CreatorRun, stored: _Stored) -> tuple[int, list[str]]:
    """What fans have spent is what they had, and what they paid less what they took back."""
    done = run.done
    paid = sum(cents for _, cents in (*done.purchases, *done.tips))
    returned = sum(cents for _, cents in done.refunds)
    due = run.spent_before_minor + paid - returned
    have = stored.counts.lifetime_value
    count = len(done.purchases) + len(done.tips) + len(done.refunds)
    return count, [] if have == due else [f"{have} cents are kept, {due} are due"]


def _counters_add_up(run: CreatorRun, stored: _Stored) -> tuple[int, list[str]]:
    """Audit log, feedback, cost and roll-ups agree with the drafts, decisions and messages."""
    counts = stored.counts
    cost = sum(draft.cost_micro_usd for draft in run.drafts)
    automatic = sum(1 for status in stored.generations.values() if status == "auto_sent")
    compared = (
        ("drafts in the audit log", counts.generated, len(run.drafts)),
        ("decisions in the audit log", counts.decided, run.work.decisions),
        ("messages in the audit log", counts.sent, len(run.log)),
        ("rows of feedback", counts.feedback, run.work.decisions + automatic),
        ("millionths of a dollar", counts.cost_micro_usd, cost),
        ("drafts in roll-ups", counts.rolled_up, len(run.drafts)),
    )
    wrong = [f"{have} {what}, {due} are due" for what, have, due in compared if have != due]
    return len(compared), wrong


_CHECKS = (
    ("Nothing is sent twice, and nothing sent is missing on the platform", _sent_once),
    ("What left stands in its conversation once", _stands_once),
    ("No message of a fan is lost or doubled", _nothing_lost),
    ("Every draft that was made is kept", _all_drafts_known),
    ("Every draft is in one state, with one way out or none", _one_state),
    ("What has not left yet has a job that sees to it", _rest_is_waiting),
    ("Fans' money adds up", _money_adds_up),
    ("Counters add up: audit log, feedback, cost, roll-ups", _counters_add_up),
)

INVARIANTS = tuple(name for name, _ in _CHECKS)
"""The names of what must hold, in the order in which it is looked at."""
