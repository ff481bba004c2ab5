"""`vaultcrm learn`: what it tells of one creator's week."""

from datetime import date
from uuid import UUID

from vaultcrm.domain.learning import Finding, Outcome, WeekReport
from vaultcrm.domain.people import Creator
from vaultcrm.entrypoints.cli.learn import report_lines
from vaultcrm.pipeline.learning.telling import sentence
from vaultcrm.workflows.learn_weekly import Learned

MIA = Creator(UUID(int=1), "mia", "Mia")
WEEK = date(2026, 11, 9)


def told(messages: int, enough: bool, *findings: Finding) -> list[str]:
    return list(report_lines(Learned(MIA, WeekReport(WEEK, messages, 40, enough, findings), None)))


def test_a_creator_with_three_messages_is_told_that_there_is_not_enough_data_yet() -> None:
    assert told(3, False) == [
        "mia, up to the week of 2026-11-09:",
        "  Not enough data yet: 3 messages with an outcome.",
    ]


def test_what_was_found_is_told_in_sentences_and_so_is_that_nothing_follows_from_it() -> None:
    found = Finding("hours:3", Outcome.REPLIED, "", 0.4, 0.35, 0.02, 0.08, 900, 0.05, False)
    assert told(900, True, found) == [
        "mia, up to the week of 2026-11-09:",
        "  900 messages, 40 questions asked, 1 difference found.",
        f"  {sentence(found)}",
        "  Nothing to propose.",
    ]
