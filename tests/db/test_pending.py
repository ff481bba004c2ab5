import pytest

from vaultcrm.db.pending import REMEMBERED_BYTES, REMEMBERED_PARAMETERS, compact
from vaultcrm.db.queries import audit, generations, limits, opening, situations, usage

SENT_FOR_A_DRAFT = {
    "open by token": opening.OPEN_BY_TOKEN,
    "open by user": opening.OPEN_BY_USER,
    "situation": situations.SITUATION,
    "repertoire": situations.REPERTOIRE,
    "save": generations.INSERT,
    "usage": usage.INSERT,
    "audit": audit.INSERT,
    "settle": limits.SETTLE,
}


@pytest.mark.parametrize("name", SENT_FOR_A_DRAFT)
def test_what_a_draft_sends_is_small_enough_not_to_be_parsed_for_every_draft(name: str) -> None:
    statement = SENT_FOR_A_DRAFT[name]
    assert len(statement.encode()) <= REMEMBERED_BYTES
    assert statement.count("%s") <= REMEMBERED_PARAMETERS


def test_a_compact_statement_has_its_lines_without_their_indentation() -> None:
    assert (
        compact("\n    SELECT 1\n      FROM (VALUES (1)) one\n")
        == "\nSELECT 1\nFROM (VALUES (1)) one"
    )
