"""A small world lives through the real pipeline, and nothing is lost on the way."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

from tests.support.fixtures import settings
from vaultcrm.adapters.worlds.people import build_world
from vaultcrm.adapters.worlds.presets import PresetName, WorldSpec
from vaultcrm.bootstrap import open_parts
from vaultcrm.db.jobs import ANSWER_FAN
from vaultcrm.domain.errors import Conflict
from vaultcrm.domain.ids import ids_made_by, least_id_at, new_id
from vaultcrm.workflows.check_world import INVARIANTS, Invariant, check_world
from vaultcrm.workflows.parts import Parts
from vaultcrm.workflows.simulate_world import (
    settle_world,
    simulate_creators,
    simulation_settings,
)
from vaultcrm.workflows.simulated_facts import CreatorRun, Fate, LogEntry
from vaultcrm.workflows.simulated_time import Agenda, moment, seeded_ids

pytestmark = pytest.mark.anyio

SENT_ONCE, STANDS_ONCE, NOTHING_LOST, ALL_KEPT, ONE_STATE, _, MONEY, COUNTERS = INVARIANTS
SMALL = WorldSpec(PresetName.STANDARD, creators=1, fans=5, days=2, seed=3)


async def live(
    parts: Parts, spec: WorldSpec, *, drafter: str = "voice", stop_on_day: int | None = None
) -> tuple[CreatorRun, ...]:
    world, stop = build_world(spec), asyncio.Event()
    settled = await settle_world(parts, world)

    def on_day(handle: str, day: int, sent: int) -> None:
        if day == stop_on_day:
            stop.set()

    handles = [creator.handle for creator in world.creators]
    return await simulate_creators(
        parts, world, settled, handles, drafter=drafter, stop=stop, on_day=on_day
    )


def broken(invariants: tuple[Invariant, ...]) -> list[str]:
    return [one.name for one in invariants if not one.holds]


async def test_a_world_lives_through_the_pipeline_and_all_invariants_hold(
    database_url: str, home: Path
) -> None:
    async with open_parts(
        simulation_settings(settings(database_url, home, ai_auto_send_guarantee=False))
    ) as parts:
        (run,) = await live(parts, SMALL)
        invariants = await check_world(parts, [run])
    assert broken(invariants) == []
    assert sum(one.looked_at for one in invariants) > 50
    assert {Fate.AUTOMATIC, Fate.APPROVED} <= {draft.fate for draft in run.drafts}
    assert run.until == 2 * 24 * 60
    assert run.done.replies
    assert run.work.minutes < run.work.minutes_by_hand
    assert all(0 < draft.true_chance < 1 for draft in run.drafts)
    assert all(one.expected <= one.oracle + 1e-9 for one in run.sent if not one.is_offer)


async def test_what_is_lost_doubled_or_miscounted_breaks_an_invariant(
    database_url: str, home: Path
) -> None:
    async with open_parts(
        simulation_settings(settings(database_url, home, ai_auto_send_guarantee=False))
    ) as parts:
        (run,) = await live(parts, replace(SMALL, days=1))

        async def breaks(**changed: Any) -> list[str]:
            return broken(await check_world(parts, [replace(run, **changed)]))

        assert await breaks() == []
        assert SENT_ONCE in await breaks(log=(*run.log, run.log[0]))
        lost = LogEntry(new_id(), "sim-lost")
        assert {SENT_ONCE, STANDS_ONCE} <= set(await breaks(log=(*run.log[1:], lost)))
        assert await breaks(fan_refs=(*run.fan_refs, "w-never")) == [NOTHING_LOST]
        assert {ALL_KEPT, COUNTERS} == set(await breaks(drafts=run.drafts[1:]))
        assert await breaks(spent_before_minor=run.spent_before_minor + 1) == [MONEY]
        with psycopg.connect(database_url, autocommit=True) as owner:
            changed = owner.execute(
                "UPDATE ai_message_generations SET status = 'queued' WHERE status = 'auto_sent'"
            )
            assert changed.rowcount
        assert ONE_STATE in await breaks()


async def test_a_world_that_is_stopped_is_whole_as_far_as_it_went(
    database_url: str, home: Path
) -> None:
    async with open_parts(
        simulation_settings(settings(database_url, home, ai_auto_send_guarantee=False))
    ) as parts:
        (run,) = await live(parts, replace(SMALL, days=40), stop_on_day=1)
        assert broken(await check_world(parts, [run])) == []
    assert 24 * 60 <= run.until < 2 * 24 * 60
    assert run.drafts


async def test_the_products_own_retrieval_drafts_in_a_world_too(
    database_url: str, home: Path
) -> None:
    async with open_parts(
        simulation_settings(settings(database_url, home, ai_auto_send_guarantee=False))
    ) as parts:
        (run,) = await live(parts, replace(SMALL, days=1), drafter="retrieval")
        assert broken(await check_world(parts, [run])) == []
    assert run.drafts
    assert {draft.cost_micro_usd for draft in run.drafts} == {0}


async def test_a_world_takes_no_database_that_holds_creators(database_url: str, home: Path) -> None:
    async with open_parts(
        simulation_settings(settings(database_url, home, ai_auto_send_guarantee=False))
    ) as parts:
        await settle_world(parts, build_world(SMALL))
        with pytest.raises(Conflict, match="one of its own"):
            await settle_world(parts, build_world(SMALL))


async def test_ids_of_simulated_time_are_the_same_twice_and_sort_as_they_were_made() -> None:
    agenda, again = Agenda(), Agenda()
    made: list[UUID] = []
    twice: list[UUID] = []
    for clock, found in ((agenda, made), (again, twice)):
        with ids_made_by(seeded_ids(clock.now, "a", 1)):
            for minute in (0.0, 0.0, 0.5, 9.0):
                clock.minute = minute
                found += [new_id() for _ in range(50)]
    assert made == twice == sorted(set(made))
    assert {one.version for one in made} == {7}
    assert least_id_at(agenda.now()) <= made[-1]
    assert new_id() not in made


async def test_a_burst_of_messages_is_one_job_that_is_put_off() -> None:
    agenda = Agenda()
    agenda.add_job(moment(2), ANSWER_FAN, "one", {"n": 1})
    assert not agenda.add_job(moment(3), ANSWER_FAN, "one", {"n": 2})
    agenda.postpone("one", moment(5))
    agenda.add(4, "open", fan="f")
    assert [due.what for due in iter(lambda: agenda.next(60.0), None)] == ["open", ANSWER_FAN]
    assert agenda.now() == moment(5)
    assert agenda.add_job(None, ANSWER_FAN, "one", {"n": 3})
