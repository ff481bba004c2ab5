"""What nobody should send or write: the filter says that a person must look, and goes on."""

from collections.abc import Callable
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vaultcrm.domain.safety import Category, Finding, SafetyReport, Scope, Verdict
from vaultcrm.pipeline.safety.filter import MOST_CHARACTERS, ContentFilter
from vaultcrm.pipeline.safety.personal_data import redact

FILTER = ContentFilter.load()
MEGABYTE = 1_000_000


@pytest.mark.parametrize(
    "piece", ["hello there ", "v.e.n.m.o ", "a ", "\ud800", "4155552671", "\U0001f346", "v*nm0 @"]
)
@pytest.mark.parametrize("scope", [Scope.DRAFT, Scope.FAN])
def test_a_text_of_a_megabyte_is_answered_with_review_or_worse_and_says_why(
    piece: str, scope: Scope
) -> None:
    report = FILTER.check((piece * MEGABYTE)[:MEGABYTE], scope)
    assert report.verdict is not Verdict.ALLOW
    [told] = _failures(report)
    assert told.rule == "filter_error.length"
    assert f"{MOST_CHARACTERS:,} of {MEGABYTE:,} characters" in told.reason


def test_what_is_found_in_the_part_that_is_checked_counts_as_ever() -> None:
    report = FILTER.check("venmo me " + "x " * MEGABYTE, Scope.DRAFT)
    assert report.verdict is Verdict.BLOCK
    assert report.has(Category.OFF_PLATFORM_PAYMENT)


def test_a_text_just_short_enough_is_checked_to_its_last_word() -> None:
    tail = " venmo me"
    report = FILTER.check("x" * (MOST_CHARACTERS - len(tail)) + tail, Scope.DRAFT)
    assert report.verdict is Verdict.BLOCK
    assert _failures(report) == []


@given(st.text(st.characters(exclude_categories=()), max_size=60))
@settings(max_examples=200, deadline=None)
def test_an_unpaired_surrogate_hides_nothing_beside_it(text: str) -> None:
    report = FILTER.check(f"{text}\ud83d venmo \udc00{text}", Scope.DRAFT)
    assert report.verdict is Verdict.BLOCK


def test_a_text_with_unpaired_surrogates_is_redacted_like_any_other() -> None:
    assert redact("\ud83d call 415-555-2671 \udc00") == "\ud83d call [phone] \udc00"


def _without(text: str) -> str:
    return text.replace("[[rule]]", "[[rule]]\nshape = 3", 1)


def _uncompilable(text: str) -> str:
    return text.replace("patterns = [", "patterns = ['(unclosed', ", 1)


def _cut_off(text: str) -> str:
    return text[: len(text) // 2] + '"""'


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (_without, "no such field in a rule"),
        (_uncompilable, "not a valid RE2 pattern"),
        (_cut_off, "syntax"),
    ],
)
def test_a_pack_that_cannot_be_read_sends_every_text_to_a_person_and_says_why(
    tmp_path: Path, spoil: Callable[[str], str], told: str
) -> None:
    folder = _packs_in(tmp_path)
    pack = folder / "pressure.toml"
    pack.write_text(spoil(pack.read_text("utf-8")), "utf-8")
    broken = ContentFilter.of_folder(folder)

    for scope in Scope:
        clean = broken.check("good morning", scope)
        assert clean.verdict is Verdict.REVIEW
        [failure] = _failures(clean)
        assert failure.rule == "filter_error.packs"
        assert "pressure.toml" in failure.reason
        assert told in failure.reason
    assert broken.check("venmo me", Scope.DRAFT).verdict is Verdict.BLOCK


def test_a_pack_that_is_missing_or_no_text_sends_every_text_to_a_person(tmp_path: Path) -> None:
    folder = _packs_in(tmp_path)
    (folder / "spam.toml").unlink()
    (folder / "explicit.toml").write_bytes(b"\xff\xfe\x00")
    report = ContentFilter.of_folder(folder).check("good morning", Scope.FAN)
    assert report.verdict is Verdict.REVIEW
    told = " ".join(failure.reason for failure in _failures(report))
    assert "explicit.toml" in told
    assert "spam.toml" in told


def _packs_in(folder: Path) -> Path:
    for file in (resources.files("vaultcrm.pipeline.safety") / "packs").iterdir():
        (folder / file.name).write_text(file.read_text("utf-8"), "utf-8")
    return folder


def _failures(report: SafetyReport) -> list[Finding]:
    return [one for one in report.findings if one.category is Category.FILTER_ERROR]
