"""What a process writes into its log: where something went wrong, and nothing that people wrote."""

import io
import logging
from collections.abc import Iterator

import pytest

from vaultcrm.entrypoints.logs import LONGEST_LINE, UNREADABLE, keep_texts_out

SECRET = "i told you that i am afraid of the dark"


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    before = logging.getLogRecordFactory()
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    logger = logging.getLogger("somebody.elses")
    logger.addHandler(handler)
    keep_texts_out()
    yield written
    logger.removeHandler(handler)
    logging.setLogRecordFactory(before)


def _fail() -> None:
    raise ValueError(f"invalid input syntax: {SECRET!r}")


def test_an_error_is_logged_with_its_kind_and_place_but_not_its_words(log: io.StringIO) -> None:
    try:
        try:
            _fail()
        except ValueError as error:
            raise LookupError(SECRET) from error
    except LookupError as error:
        logging.getLogger("somebody.elses").exception("A job failed: %s", error)

    line = log.getvalue()
    assert SECRET not in line
    assert "ERROR A job failed: LookupError" in line
    for known in ("builtins.LookupError", "builtins.ValueError", "test_logs.py", "_fail"):
        assert known in line


def test_each_error_of_a_group_is_named_without_its_words(log: io.StringIO) -> None:
    try:
        raise BaseExceptionGroup("two things", [ValueError(SECRET), KeyError(SECRET)])
    except BaseExceptionGroup:
        logging.getLogger("somebody.elses").exception("Stopped")

    line = log.getvalue()
    assert SECRET not in line
    assert "builtins.ValueError" in line
    assert "builtins.KeyError" in line


def test_personal_data_in_a_line_or_its_values_is_left_out(log: io.StringIO) -> None:
    logging.getLogger("somebody.elses").warning(
        "could not send to %s or 415-555-2671", "anna.berg@gmail.com"
    )
    assert log.getvalue() == "WARNING could not send to [email] or [phone]\n"


def test_a_line_longer_than_ours_are_is_cut(log: io.StringIO) -> None:
    logging.getLogger("somebody.elses").error("x" * 5_000)
    assert len(log.getvalue()) == len("ERROR ") + LONGEST_LINE + 1


def test_a_line_whose_values_do_not_fit_says_so_and_shows_none_of_them(log: io.StringIO) -> None:
    logging.getLogger("somebody.elses").error("%d messages", SECRET)
    assert log.getvalue() == f"ERROR {UNREADABLE}\n"


def test_keeping_texts_out_twice_is_keeping_them_out_once(log: io.StringIO) -> None:
    made = logging.getLogRecordFactory()
    keep_texts_out()
    assert logging.getLogRecordFactory() is made
