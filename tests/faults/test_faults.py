"""Rounds of `make faults`: parts of a real installation are killed, and nothing suffers."""

import secrets
from pathlib import Path

import pytest

from tests.faults.rounds import run_rounds

pytestmark = pytest.mark.anyio

ROUNDS = 3


async def test_whatever_is_killed_nothing_is_lost_or_sent_twice_or_left_undone(
    home: Path, tmp_path: Path
) -> None:
    seed = secrets.randbelow(10**6)
    report = await run_rounds(home, tmp_path, rounds=ROUNDS, seed=seed, seconds_a_round=2.0)
    assert report.violations == [], f"SEED={seed}"
    assert report.rounds == ROUNDS
    assert report.kills.total() >= ROUNDS
    # What did not happen cannot have gone wrong.
    assert min(report.fan_messages, report.decisions, report.own_messages) > 0
    assert report.states["chatwoot", "sent"] > 0
    assert report.states["webhook", "sent"] > 0
