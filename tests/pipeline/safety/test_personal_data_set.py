"""The messages of `evals/personal_data`: what is promised of precision and recall holds on them."""

import pytest

from evals.personal_data.measure import Message, Span, found_in, measure, read_messages
from evals.personal_data.targets import SETS, failures


@pytest.mark.parametrize("name", SETS)
def test_personal_data_in_messages_is_found_as_precisely_as_promised(name: str) -> None:
    assert list(failures(measure(read_messages(*SETS[name])))) == []


def test_the_set_has_enough_messages_with_and_without_personal_data() -> None:
    messages = read_messages(*(file for files in SETS.values() for file in files))
    assert sum(bool(message.spans) for message in messages) >= 400
    assert sum(not message.spans for message in messages) >= 800
    assert len({message.id for message in messages}) == len(messages)


@pytest.mark.parametrize("innocent", ["The weather is lovely.", "u r sweet", "ok babe \U0001f618"])
@pytest.mark.parametrize("gap", [" ", "\n", ". "])
def test_a_sentence_beside_it_hides_no_personal_data(innocent: str, gap: str) -> None:
    hidden = []
    for message in read_messages("with.jsonl", "held_out.jsonl"):
        alone = found_in(message)
        seen = [span for span in message.spans if _is_found(span, alone, 0)]
        before = innocent + gap
        for text, shift in (
            (before + message.text, len(before)),
            (message.text + gap + innocent, 0),
        ):
            beside = found_in(Message(message.id, message.region, text, ()))
            hidden += [text for span in seen if not _is_found(span, beside, shift)]
    assert hidden == []


def _is_found(span: Span, found: list[Span], shift: int) -> bool:
    moved = Span(span.kind, span.start + shift, span.end + shift)
    return any(one.kind == span.kind and one.overlaps(moved) for one in found)
