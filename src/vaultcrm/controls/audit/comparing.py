"""Compare an audit log with its seals, both read in order and never held as a whole.

comparing = Comparing(creator_id, whole=True)
for seals in windows:
    comparing.begin(seals, late_rows)
    for row in rows from the end of the window before to the end of this one: comparing.see(row)
    comparing.end()
result = comparing.result(…)
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from vaultcrm.controls.audit.sealing import is_whole, leaf_of, moment_of
from vaultcrm.domain.audit_seals import (
    ERASED_SALT,
    ID_BYTES,
    MOST_FAULTS,
    Fault,
    FaultKind,
    LoggedRow,
    Seal,
    SealHead,
    Verified,
)
from vaultcrm.domain.ids import least_id_at

LATE = timedelta(hours=1)
"""A row that is committed when its time is sealed already may join a later seal for so long. One
that is older is never sealed, and so counts as inserted.
"""


class Comparing:
    """What one creator's log and seals have come to so far.

    `whole`: all of the log is looked at, from its first seal on; else the first seal that is given
    is believed to follow on those before it.
    """

    def __init__(self, creator_id: UUID, *, whole: bool) -> None:
        self._creator_id = creator_id
        self._whole = whole
        self._last: SealHead | None = None
        self._expected: list[tuple[bytes, Seal, int]] = []
        self._next = 0
        self._doubtful: set[int] = set()
        self._gaps: list[tuple[bytes, bytes]] = []
        self._gap_rows = 0
        self._strays: dict[bytes, None] = {}
        self._adopted: set[bytes] = set()
        self._faults: list[Fault] = []
        self._fault_count = 0
        self._seals = self._rows = self._late = self._erased = 0

    @property
    def last(self) -> SealHead | None:
        """The head of the last seal that was given."""
        return self._last

    @property
    def rows(self) -> int:
        """Rows that were compared with their seals."""
        return self._rows

    @property
    def faults(self) -> Sequence[Fault]:
        """The first faults found, in their order."""
        return self._faults

    def begin(self, seals: Sequence[Seal], late_rows: Mapping[bytes, LoggedRow]) -> None:
        """Take in the next seals; `late_rows` are those among their late rows that are there."""
        self._expected, self._next = [], 0
        self._doubtful, self._gaps, self._gap_rows = set(), [], 0
        self._adopted = set()
        for seal in seals:
            self._take_in(seal)
            count = len(seal.ids) // ID_BYTES
            regular = count - min(max(seal.head.late, 0), count)
            self._expected += [(seal.id_at(place), seal, place) for place in range(regular)]
            for place in range(regular, count):
                self._see_late(seal, place, late_rows.get(seal.id_at(place)))
        if self._doubtful:
            self._expected.sort(key=lambda one: one[0])

    def see(self, row: LoggedRow) -> None:
        """Compare the next row of the log; ids go up."""
        expected = self._expected
        while self._next < len(expected) and expected[self._next][0] < row.id:
            self._miss(*expected[self._next])
            self._next += 1
        if self._next < len(expected) and expected[self._next][0] == row.id:
            self._check(row, *expected[self._next][1:])
            self._next += 1
        elif any(start <= row.id < end for start, end in self._gaps):
            self._gap_rows += 1
        elif row.id not in self._adopted:
            self._strays[row.id] = None

    def end(self) -> None:
        """All rows of the window have been seen."""
        for one in self._expected[self._next :]:
            self._miss(*one)
        if self._gap_rows:
            self._fault(
                FaultKind.SEAL_MISSING,
                f"{self._gap_rows:,} rows of the time of missing seals cannot be checked",
            )
        if self._last is not None:
            # Nothing so old can be in a seal that is still to come.
            oldest = least_id_at(self._last.sealed_at - 2 * LATE).bytes
            self._accuse([stray for stray in self._strays if stray < oldest])

    def result(self, *, unsealed: int, unsealed_since: datetime | None) -> Verified:
        """The outcome; `unsealed` rows are newer than the last seal."""
        self._accuse(list(self._strays))
        return Verified(
            creator_id=self._creator_id,
            newest=self._last,
            seals=self._seals,
            rows=self._rows,
            late=self._late,
            erased=self._erased,
            unsealed=unsealed,
            unsealed_since=unsealed_since,
            fault_count=self._fault_count,
            faults=tuple(self._faults),
        )

    def _take_in(self, seal: Seal) -> None:
        head, last = seal.head, self._last
        self._seals += 1
        if not is_whole(seal):
            self._doubtful.add(head.number)
            said = f"Seal {head.number} has been changed: its rows cannot be checked"
            self._fault(FaultKind.SEAL_CHANGED, said, seal=head.number)
        first_missing = 1 if last is None else last.number + 1
        if head.number > first_missing and (last is not None or self._whole):
            self._gaps.append((b"" if last is None else last.below_id.bytes, head.from_id.bytes))
            for number in range(first_missing, min(head.number, first_missing + MOST_FAULTS)):
                self._fault(FaultKind.SEAL_MISSING, f"Seal {number} is missing", seal=number)
        elif last is not None and (head.previous != last.hash or head.from_id != last.below_id):
            said = f"Seal {head.number} does not follow on seal {last.number}"
            self._fault(FaultKind.CHAIN_BROKEN, said, seal=head.number)
        self._last = head

    def _see_late(self, seal: Seal, place: int, row: LoggedRow | None) -> None:
        self._late += 1
        self._strays.pop(seal.id_at(place), None)
        self._adopted.add(seal.id_at(place))
        if row is None:
            self._miss(seal.id_at(place), seal, place)
        else:
            self._check(row, seal, place)

    def _check(self, row: LoggedRow, seal: Seal, place: int) -> None:
        number, salt = seal.head.number, seal.salt_at(place)
        if number in self._doubtful:
            return
        self._rows += 1
        self._erased += salt == ERASED_SALT
        if leaf_of(row, salt) != seal.leaf_at(place):
            at = moment_of(row.at)
            told = "" if at is None else f", {row.action}, {at:%Y-%m-%d %H:%M:%S} UTC,"
            self._fault(
                FaultKind.ROW_CHANGED,
                f"Row {UUID(bytes=row.id)}{told} has changed since it was sealed (seal {number})",
                row_id=row.id,
                seal=number,
            )

    def _miss(self, row_id: bytes, seal: Seal, place: int) -> None:
        number = seal.head.number
        if number in self._doubtful:
            return
        said = f"Row {UUID(bytes=row_id)} is missing: it is number {place + 1} of seal {number}"
        self._fault(FaultKind.ROW_MISSING, said, row_id=row_id, seal=number)

    def _accuse(self, strays: Sequence[bytes]) -> None:
        for row_id in strays:
            del self._strays[row_id]
            said = (
                f"Row {UUID(bytes=row_id)} is in no seal, and its time was sealed without it: "
                "it was inserted afterwards"
            )
            self._fault(FaultKind.ROW_INSERTED, said, row_id=row_id)

    def _fault(
        self, kind: FaultKind, said: str, *, row_id: bytes | None = None, seal: int | None = None
    ) -> None:
        self._fault_count += 1
        if len(self._faults) < MOST_FAULTS:
            named = None if row_id is None else UUID(bytes=row_id)
            self._faults.append(Fault(kind, self._creator_id, f"{said}.", named, seal))
