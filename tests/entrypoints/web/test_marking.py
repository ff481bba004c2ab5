"""Findings are marked at their place, whatever they overlap with."""

from hypothesis import given
from hypothesis import strategies as st

from vaultcrm.domain.safety import Category, Finding, FindingTier
from vaultcrm.entrypoints.web.text.marking import segments


def finding(start: int, end: int) -> Finding:
    return Finding(Category.SPAM, start, end, "spam.rule", FindingTier.REVIEW, 0.5, "", "")


def test_overlapping_findings_share_what_belongs_to_both() -> None:
    one, other = finding(0, 5), finding(3, 8)

    found = segments("abcdefghij", [one, other])

    assert [(part.text, part.findings) for part in found] == [
        ("abc", (one,)),
        ("de", (one, other)),
        ("fgh", (other,)),
        ("ij", ()),
    ]


def test_a_finding_without_a_stretch_or_outside_the_text_marks_nothing() -> None:
    odd = [finding(0, 0), finding(2, 1), finding(-1, 2), finding(2, 99)]

    assert [(part.text, part.findings) for part in segments("abc", odd)] == [("abc", ())]


@given(
    st.text(max_size=30),
    st.lists(st.tuples(st.integers(-2, 32), st.integers(-2, 32)), max_size=6),
)
def test_marking_never_changes_the_text_and_marks_exactly_what_was_found(
    text: str, spans: list[tuple[int, int]]
) -> None:
    findings = [finding(start, end) for start, end in spans]

    place = 0
    for part in segments(text, findings):
        for offset in range(place, place + len(part.text)):
            held = tuple(
                found for found in findings if 0 <= found.start <= offset < found.end <= len(text)
            )
            assert part.findings == held
        place += len(part.text)

    assert "".join(part.text for part in segments(text, findings)) == text
