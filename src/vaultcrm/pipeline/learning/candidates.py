"""Phrases to take up: those common in what is said, and those common among what people changed."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from vaultcrm.pipeline.learning.edits import LONGEST, is_rewritten
from vaultcrm.pipeline.learning.phrases import MOST_NEW, MOST_TRACKED, Common, runs
from vaultcrm.pipeline.learning.traits import names_of, pieces_of

NEW_FROM_EDITS: Final = 10
"""So many are taken up in one week of what people took out, and so many of what they put in."""
LEAST_EDITED_SHARE: Final = 0.03
"""Of the drafts that were changed."""


def says_what_to_ask(fan: UUID) -> bool:
    """Whether what people did to drafts for this fan only says which phrases to ask about.

    The other half answers, so that no phrase is asked about because of its own answer.
    """
    return fan.int % 2 == 0


class Candidates:
    """What one week holds that is not asked about yet; `known` are the phrases that are."""

    def __init__(self, known: Sequence[str]) -> None:
        self._known = known
        self._said, self._removed, self._added = Common(), Common(), Common()

    @property
    def room(self) -> int:
        """How many more phrases can be asked about."""
        return MOST_TRACKED - len(self._known)

    def add_message(self, text: str, fan: UUID, name: str) -> None:
        """One message to a fan of this name."""
        self._said.add(runs(pieces_of(text, names_of(name))), fan.int)

    def add_edit(self, before: Sequence[str], after: Sequence[str], fan: UUID) -> None:
        """One draft as it was written and as it was sent, in pieces."""
        if before != after and says_what_to_ask(fan) and not is_rewritten(before, after):
            old, new = set(runs(before, 1, LONGEST)), set(runs(after, 1, LONGEST))
            self._removed.add(old - new, fan.int)
            self._added.add(new - old, fan.int)

    def chosen(self) -> tuple[list[str], list[str]]:
        """The phrases to take up: of messages, and of edits, which go first where room is short."""
        edited: list[str] = []
        for common in (self._removed, self._added):
            seen = frozenset({*self._known, *edited})
            edited += common.chosen(NEW_FROM_EDITS, known=seen, least_share=LEAST_EDITED_SHARE)
        edited = edited[: self.room]
        taken = frozenset({*self._known, *edited})
        said = self._said.chosen(min(MOST_NEW, self.room - len(edited)), known=taken)
        return said, edited
