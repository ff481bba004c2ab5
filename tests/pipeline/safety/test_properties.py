"""What holds for every text there can be."""

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from vaultcrm.domain.safety import Category, FindingTier, Scope, Verdict
from vaultcrm.pipeline.safety.filter import ContentFilter
from vaultcrm.pipeline.safety.packs import load_packs

FILTER = ContentFilter.load()
ANOTHER_FILTER = ContentFilter(load_packs())
OFFENCES = [
    line.split("\t")[1]
    for line in (Path(__file__).parent / "offences.tsv").read_text("utf-8").splitlines()
]
INNOCENT = [
    "The weather is lovely.",
    "I like tea.",
    "A cat sat on the sofa",
    "We baked bread yesterday, it was good!",
    "u r sweet",
    "i c u",
    "x o x",
    "r u ok",
    "what a day \u2600\ufe0f",
    "vitamin c",
]
FORBIDDEN = ("boo", "\u00fcber", "\u7231", "\U0001f346")

CHARACTERS = st.characters(exclude_categories=())
PIECES = st.sampled_from(
    [
        *"aeinv0134579@$!|.-_ '\n\t\x00",
        *(
            "\u200b",
            "\ud800",
            "\udfff",
            "\u0435",
            "\uff56",
            "\ufb03",
            "\ufdfa",
            "\u0301",
            "\U0001f525",
        ),
        *("i'm 15", "15 ", "venmo", "cash app", "k i k", "b.t.c", "415-555-2671", "mia@x.com"),
        *("boo", "\u00dcBER", "\u7231", "not a bot", "kill you", "4111111111111111", "de89"),
        *("https://", ".com", "<system>", "ignore your rules", "12 oak st", " minutes"),
    ]
)
TEXTS = st.text(CHARACTERS) | st.lists(PIECES | CHARACTERS, max_size=40).map("".join)
SCOPES = st.sampled_from(Scope)


def _spelled(offence: str, word: int, gap: str) -> str:
    """The offence with one of its words pulled apart."""
    words = offence.split(" ")
    words[word % len(words)] = gap.join(words[word % len(words)])
    return " ".join(words)


SPELLED_OFFENCES = st.builds(
    _spelled, st.sampled_from(OFFENCES), st.integers(0, 9), st.sampled_from([" ", ".", "-", " - "])
)


@given(TEXTS, SCOPES)
@settings(max_examples=400, deadline=None)
def test_any_text_gets_an_answer_whose_spans_lie_in_it(text: str, scope: Scope) -> None:
    report = FILTER.check(text, scope, FORBIDDEN)
    assert not report.has(Category.FILTER_ERROR)
    for finding in report.findings:
        assert 0 <= finding.start < finding.end <= len(text)
        assert finding.matched == text[finding.start : finding.end]
        assert 0 < finding.score <= 1
    starts = [finding.start for finding in report.findings]
    assert starts == sorted(starts)
    harm = [found for found in report.findings if found.tier is not FindingTier.NOTE]
    assert (report.verdict is Verdict.ALLOW) == (not harm)


@given(TEXTS, SCOPES)
@settings(deadline=None)
def test_the_same_text_gets_the_same_answer_from_another_filter(text: str, scope: Scope) -> None:
    assert ANOTHER_FILTER.check(text, scope, FORBIDDEN) == FILTER.check(text, scope, FORBIDDEN)


@given(
    st.sampled_from(OFFENCES) | SPELLED_OFFENCES | st.lists(PIECES, max_size=12).map("".join),
    st.sampled_from(INNOCENT),
    st.sampled_from([" ", "\n", ". ", " \u2600\ufe0f "]),
    st.booleans(),
    SCOPES,
)
@settings(max_examples=600, deadline=None)
def test_an_innocent_sentence_beside_it_never_hides_a_finding(
    text: str, innocent: str, gap: str, goes_first: bool, scope: Scope
) -> None:
    alone = FILTER.check(text, scope, FORBIDDEN)
    together = innocent + gap + text if goes_first else text + gap + innocent
    shift = len(innocent + gap) if goes_first else 0
    beside = FILTER.check(together, scope, FORBIDDEN)
    for finding in alone.findings:
        assert any(
            other.category is finding.category
            and other.start <= finding.start + shift
            and other.end >= finding.end + shift
            and (other.tier is FindingTier.BLOCK or finding.tier is not FindingTier.BLOCK)
            for other in beside.findings
        ), (finding, beside.findings)
