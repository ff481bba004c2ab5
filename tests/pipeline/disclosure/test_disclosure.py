"""Which wording a fan reads, and what a wording must hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaultcrm.domain.disclosure import Wording
from vaultcrm.domain.errors import InvalidInput
from vaultcrm.domain.safety import Category, Finding, FindingTier, report_of
from vaultcrm.pipeline.disclosure import (
    LONGEST_WORDING,
    check_wording,
    choose_wording,
    languages,
    names_ai,
)

CLEAN = report_of(())
OWN = {"es": Wording("es", 3, "Aquí escribe también una IA.")}


def test_there_are_wordings_in_eight_languages_and_each_names_ai() -> None:
    assert set(languages()) == {"en", "es", "pt", "fr", "de", "it", "nl", "pl"}
    for known in languages().values():
        assert names_ai(known, known.shipped.text)
        assert len(known.shipped.text) <= LONGEST_WORDING
        assert known.shipped.version == 0


@pytest.mark.parametrize(
    ("wanted", "language", "version"),
    [
        (("es", "en"), "es", 3),
        ((None, "es"), "es", 3),
        (("pt-BR", "es"), "pt", 0),
        (("PT_br", "es"), "pt", 0),
        (("xx", "fr"), "fr", 0),
        (("klingon", ""), "en", 0),
        ((), "en", 0),
    ],
)
def test_the_first_language_that_has_a_wording_is_spoken_and_english_at_last(
    wanted: tuple[str | None, ...], language: str, version: int
) -> None:
    chosen = choose_wording(OWN, wanted)
    assert (chosen.language, chosen.version) == (language, version)


@given(st.lists(st.none() | st.text(max_size=12), max_size=3))
def test_whatever_a_model_calls_a_language_there_is_a_wording(wanted: list[str | None]) -> None:
    assert choose_wording({}, wanted).language in languages()


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "We use AI."),
        ("en", "Artificial  intelligence? No: artificial intelligence."),
        ("de", "Eine KI hilft."),
        ("de", "mit künstlicher intelligenz"),
        ("fr", "L'IA nous aide."),
        ("pl", "Pomaga nam sztuczna inteligencja."),
    ],
)
def test_a_wording_names_ai_in_its_own_language(language: str, text: str) -> None:
    assert check_wording(language, f"\n {text} ", CLEAN) == text


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "We are paid to fail."),
        ("en", "Eine KI hilft."),
        ("de", "Ich ging Ski fahren."),
        ("fr", "Le diable."),
        ("pl", "Si piszemy to sami"[3:]),
    ],
)
def test_a_wording_that_does_not_is_refused_with_the_words_to_use(language: str, text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_wording(language, text, CLEAN)
    [problem] = refused.value.problems
    assert problem.field == "text"
    assert f"“{languages()[language].names_ai[0]}”" in problem.reason


@pytest.mark.parametrize("text", ["", " \n\t ", "AI" * 301])
def test_a_wording_is_not_empty_and_not_long(text: str) -> None:
    with pytest.raises(InvalidInput):
        check_wording("en", text, CLEAN)


def test_what_the_filter_sees_in_a_wording_is_told() -> None:
    seen = Finding(Category.PRESSURE, 0, 2, "pressure.x", FindingTier.REVIEW, 0.5, "AI", "Presses.")
    with pytest.raises(InvalidInput) as refused:
        check_wording("en", "AI", report_of((seen,)))
    assert refused.value.problems[0].reason == "“AI”: Presses."
