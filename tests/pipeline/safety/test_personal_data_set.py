"""The messages of `evals/personal_data`: what is promised of precision and recall holds on them."""

import pytest

from evals.personal_data.measure import measure, read_messages
from evals.personal_data.targets import SETS, failures


@pytest.mark.parametrize("name", SETS)
def test_personal_data_in_messages_is_found_as_precisely_as_promised(name: str) -> None:
    assert list(failures(measure(read_messages(*SETS[name])))) == []


def test_the_set_has_enough_messages_with_and_without_personal_data() -> None:
    messages = read_messages(*(file for files in SETS.values() for file in files))
    assert sum(bool(message.spans) for message in messages) >= 400
    assert sum(not message.spans for message in messages) >= 800
    assert len({message.id for message in messages}) == len(messages)
