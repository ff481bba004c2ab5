"""The evaluation of the content filter: that it measures, and that its targets are reached."""

from dataclasses import replace
from importlib import resources
from pathlib import Path
from random import Random

import pytest

from evals.__main__ import main
from evals.safety import second_set, third_set
from evals.safety.benign import lines
from evals.safety.families import FAMILIES, Family
from evals.safety.recall import held_out
from evals.safety.report import Report, Share, measure, rendered, shortfalls
from vaultcrm.pipeline.safety.filter import ContentFilter
from vaultcrm.pipeline.safety.packs import load_packs


@pytest.fixture(scope="module")
def report() -> Report:
    return measure(small=True)


def test_a_third_of_the_texts_reaches_every_target(report: Report) -> None:
    assert shortfalls(report, small=True) == []


def test_the_command_ends_well_where_every_target_is_reached(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--small"]) == 0
    shown = capsys.readouterr().out
    assert "every figure reaches its target" in shown
    assert "messages a second" in shown
    assert "messages with personal data" in shown


def test_the_second_set_names_the_word_to_disguise_in_each_of_its_offences() -> None:
    for offence in second_set.offences():
        assert offence.key is not None
        word, start = offence.key
        assert word
        assert offence.text[start : start + len(word)] == word
        assert "{" not in offence.text


def test_a_filter_without_one_of_its_packs_fails_the_evaluation(tmp_path: Path) -> None:
    for file in (resources.files("vaultcrm.pipeline.safety") / "packs").iterdir():
        if file.name != "meeting.toml":
            (tmp_path / file.name).write_text(file.read_text("utf-8"), "utf-8")
    worse = measure(ContentFilter.of_folder(tmp_path), small=True)
    assert any("meeting, as_typed" in sentence for sentence in shortfalls(worse, small=True))


def test_what_was_won_in_words_that_no_rule_was_made_for_cannot_be_lost_unnoticed() -> None:
    halves = third_set.measure(ContentFilter.load())
    texts, found, strict = halves["unseen"].found["all"]
    lost = {**halves["unseen"].found, "all": (texts, found - texts // 20, strict)}
    worse = halves | {"unseen": replace(halves["unseen"], found=lost, blocked=9)}
    recall, blocked = third_set.failures(worse)
    assert recall.startswith("third set, unseen: recall 0.5")
    assert blocked.startswith("third set, unseen: block for 9 of 557 innocent lines")


def test_a_figure_below_its_target_is_named(report: Report) -> None:
    worse = replace(
        report,
        recall={"held_out": {"all": {"leet": Share(96, 100), "masked": Share(97, 100)}}},
        blocked=Share(2, 1000),
    )
    sentences = shortfalls(worse, small=True)
    assert [sentence.split(":")[0] for sentence in sentences] == [
        "held_out, all, leet",
        "benign chat",
    ]


def test_too_few_innocent_lines_are_a_shortfall(report: Report) -> None:
    few = replace(report, blocked=Share(0, 1999), reviewed=Share(0, 1999))
    assert "1999 lines" in " ".join(shortfalls(few))


def test_the_tables_show_each_category_and_language(report: Report) -> None:
    table = rendered(report, details=True)
    for name in ("off_platform_payment", "prompt_injection", "es", "de", "false alarms", "missed"):
        assert name in table


def test_there_are_at_least_two_thousand_different_innocent_lines_in_five_languages() -> None:
    chat = lines()
    assert len({line.text for line in chat}) >= 2000
    assert {line.language for line in chat} == {"en", "es", "pt", "fr", "de"}


def test_each_category_has_thirty_offences_of_which_none_is_in_a_pack() -> None:
    in_packs = {
        example.lower()
        for pack in load_packs()
        for rule in pack.rules
        for example in rule.matching_examples
    }
    offences = held_out()
    assert not in_packs & {offence.text.lower() for offence in offences}
    for category in {offence.category for offence in offences}:
        assert sum(offence.category is category for offence in offences) >= 30


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_a_family_writes_a_word_differently_and_the_same_way_each_time(family: Family) -> None:
    typed = _disguised(family)
    assert "telegram" not in typed
    assert typed == _disguised(family)


def _disguised(family: Family) -> list[str]:
    # The evaluation needs the same chances on every run, not secret ones.
    return [family.disguise("telegram", Random(seed)) for seed in range(20)]  # noqa: S311
