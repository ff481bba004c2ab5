"""The evaluation of confidence and its guarantee: that it measures what it says."""

import pytest

from evals.calibration.__main__ import main
from evals.calibration.measure import measure_sending, poor_world, rich_worlds
from evals.calibration.report import SMALL, Report, measure, rendered, shortfalls
from evals.calibration.worlds import best_share, decided


@pytest.fixture(scope="module")
def report() -> Report:
    return measure(SMALL)


def test_a_few_worlds_are_calibrated_better_than_the_formula_and_send_most_of_what_is_safe(
    report: Report,
) -> None:
    assert report.error < 0.03
    assert report.error < report.logistic[0].formula
    assert report.sent > 0.5
    assert report.sent_where_little_is_safe < 0.02
    assert "guarantee broken, of 8 worlds" in rendered(report)


def test_a_figure_beyond_its_target_is_named(report: Report) -> None:
    broken = Report(report.logistic, report.isotonic, report.rich, report.rich)
    assert any("is sent where little is safe" in said for said in shortfalls(broken))


def test_the_oracle_sends_no_more_than_the_limit_allows() -> None:
    [world] = rich_worlds(1)
    known = decided(world, 4_000)[1]
    share = best_share(known, 0.02)
    best = sorted(known, reverse=True)[: round(share * 4_000)]
    assert 0.6 < share < 1
    assert sum(1 - one for one in best) / len(best) <= 0.02
    assert best_share(known, 1.0) == 1.0


def test_where_nothing_is_known_to_be_safe_nothing_is_sent() -> None:
    assert measure_sending(poor_world(1), decisions=800).sent == 0.0


def test_the_command_prints_the_small_tables(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--small"]) == 0
    assert "ECE" in capsys.readouterr().out
