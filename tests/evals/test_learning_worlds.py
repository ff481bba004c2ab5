"""The worlds of `evals.learning`, small: learning gets somewhere, and nothing comes of nothing."""

from evals.learning.measure import Week, learn, proposes_anything
from evals.learning.report import Figures, failures, rendered


def test_a_learned_voice_closes_most_of_the_gap_and_is_never_worse_than_the_first() -> None:
    weeks = learn(3, weeks=5)
    assert weeks[-1].both > 0.55
    assert all(week.both >= 0 for week in weeks)
    assert weeks[0].proposals > 0


def test_in_a_world_where_nothing_matters_nothing_is_proposed() -> None:
    assert not proposes_anything(11, weeks=4, creators=6)


def test_the_same_seed_gives_the_same_course() -> None:
    assert learn(4, weeks=2, creators=3) == learn(4, weeks=2, creators=3)


def test_a_figure_below_its_target_is_told_with_both_numbers() -> None:
    course = [Week(0.5, 0.5, 0.5, 3)]
    figures = Figures([course], [course], silent=90, nothing=100)
    assert failures(figures) == [
        "learning closes 0.500 of the gap, target 0.7",
        "learning proposes nothing in 0.900 of worlds where nothing matters, target 0.95",
    ]
    assert "90 of 100" in rendered(figures)
