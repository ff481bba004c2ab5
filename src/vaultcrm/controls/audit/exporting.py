"""Rows with their proofs as lines of JSON, and what such a file proves without any database.

    {"type": "export", "version": 1, "exportedAt": …}
    {"type": "seal", "creatorId", "number", …, "previous", "hash", "withRows": true | false}
    {"type": "row", "creatorId", "seal", "place", "salt", "proof", "id", "at", …, "details": "{…}"}
    {"type": "row", "seal": null, …}         not sealed yet

A seal comes before its rows, and with all of them or none. Behind the last one with rows come the
heads of all later seals without rows, so that the file leads to a head that was kept elsewhere.
Hashes are in hexadecimal. `details` is the text that was hashed.
"""

import json
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from vaultcrm.controls.audit.merkle import levels_of, proof_of, root_from
from vaultcrm.controls.audit.sealing import leaf_of, microseconds, moment_of, seal_hash
from vaultcrm.domain.audit_seals import KnownHead, LoggedRow, Seal, SealHead

VERSION = 1
MOST_SAID = 1_000


# ---- writing


def opening_line(now: datetime) -> str:
    return _line({"type": "export", "version": VERSION, "exportedAt": _time(now)})


def head_line(head: SealHead, *, with_rows: bool) -> str:
    """A seal's head: everything that its hash is over."""
    return _line(
        {
            "type": "seal",
            "creatorId": str(head.creator_id),
            "number": head.number,
            "sealedAt": _time(head.sealed_at),
            "fromId": str(head.from_id),
            "belowId": str(head.below_id),
            "rowCount": head.row_count,
            "late": head.late,
            "root": head.root.hex(),
            "idsHash": head.ids_hash.hex(),
            "previous": head.previous.hex(),
            "hash": head.hash.hex(),
            "withRows": with_rows,
        }
    )


def row_lines(seal: Seal, rows: Sequence[LoggedRow]) -> Iterator[str]:
    """The rows of a seal that are there, each with the proof that it was sealed."""
    places = {seal.id_at(place): place for place in range(seal.head.row_count)}
    levels = levels_of([seal.leaf_at(place) for place in range(seal.head.row_count)])
    for row in rows:
        place = places[row.id]
        proof = {
            "seal": seal.head.number,
            "place": place,
            "salt": seal.salt_at(place).hex(),
            "proof": [each.hex() for each in proof_of(levels, place)],
        }
        yield _line(_row(row) | proof)


def unsealed_line(row: LoggedRow) -> str:
    return _line(_row(row) | {"seal": None})


def _row(row: LoggedRow) -> dict[str, Any]:
    at = moment_of(row.at)
    return {
        "type": "row",
        "creatorId": str(UUID(bytes=row.creator_id)),
        "id": str(UUID(bytes=row.id)),
        "at": None if at is None else _time(at),
        "actorId": None if row.actor_id is None else str(UUID(bytes=row.actor_id)),
        "action": row.action,
        "subjectType": row.subject_type,
        "subjectId": row.subject_id,
        "details": row.details,
    }


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _line(content: dict[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n"


# ---- checking


@dataclass(frozen=True, slots=True)
class Checked:
    """What a file proves. `faults` name line and row; `notes` are what it cannot prove."""

    rows: int
    seals: int
    unsealed: int
    fault_count: int
    faults: tuple[str, ...]
    heads: tuple[KnownHead, ...]
    notes: tuple[str, ...]


@dataclass(slots=True)
class _Open:
    """The seal whose rows are being read."""

    head: SealHead
    with_rows: bool
    seen: set[int] = field(default_factory=set)


def check_lines(lines: Iterable[str], heads: Sequence[KnownHead] = ()) -> Checked:
    """Follow every row to its seal, every seal to the next, and the last to `heads`.

    A line that is none of ours is a fault like any other.
    """
    checking = _Checking({(each.creator_id, each.number): each.hash for each in heads})
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                checking.read(number, json.loads(line))
            except (ValueError, KeyError, TypeError, AttributeError, struct.error):
                checking.fault(number, "is no line of an export")
    return checking.result()


class _Checking:
    def __init__(self, known: dict[tuple[UUID, int], bytes]) -> None:
        self._known = known
        self._met: set[tuple[UUID, int]] = set()
        self._open: _Open | None = None
        self._heads: dict[UUID, SealHead] = {}
        self._reached: dict[UUID, int] = {}
        self._begun = False
        self._rows = self._seals = self._unsealed = self._bare = 0
        self._faults: list[str] = []
        self._fault_count = 0

    def read(self, number: int, line: dict[str, Any]) -> None:
        kind = line["type"]
        if kind == "export" and not self._begun:
            self._begun = True
            if line["version"] != VERSION:
                self.fault(number, f"is of version {line['version']}, this reads {VERSION}")
        elif kind == "seal":
            self._read_seal(number, line)
        elif kind == "row":
            self._read_row(number, line)
        else:
            raise ValueError(kind)

    def fault(self, number: int, said: str) -> None:
        self._fault_count += 1
        if len(self._faults) < MOST_SAID:
            self._faults.append(f"Line {number} {said}.")

    def _read_seal(self, number: int, line: dict[str, Any]) -> None:
        self._close()
        head = _read_head(line)
        self._seals += 1
        named = f"(seal {head.number} of {head.creator_id})"
        if seal_hash(head) != head.hash:
            self.fault(number, f"{named} has been changed: its hash is another one")
        before = self._heads.get(head.creator_id)
        if before is not None and (
            (head.number, head.previous, head.from_id)
            != (before.number + 1, before.hash, before.below_id)
        ):
            self.fault(number, f"{named} does not follow on seal {before.number}")
        place = (head.creator_id, head.number)
        if place in self._known:
            self._met.add(place)
            if self._known[place] == head.hash:
                self._reached[head.creator_id] = head.number
            else:
                self.fault(number, f"{named} is another one than the head that was kept")
        self._heads[head.creator_id] = head
        with_rows = bool(line["withRows"])
        self._bare += not with_rows
        self._open = _Open(head, with_rows)

    def _read_row(self, number: int, line: dict[str, Any]) -> None:
        row = _read_logged(line)
        if line["seal"] is None:
            self._close()
            self._unsealed += 1
            return
        self._rows += 1
        held = self._open
        named = f"(row {line['id']})"
        if (
            held is None
            or not held.with_rows
            or (held.head.creator_id.bytes, held.head.number) != (row.creator_id, line["seal"])
        ):
            self.fault(number, f"{named} does not stand behind its seal")
            return
        place = int(line["place"])
        leaf = leaf_of(row, bytes.fromhex(line["salt"]))
        proof = [bytes.fromhex(each) for each in line["proof"]]
        if root_from(leaf, place, held.head.row_count, proof) != held.head.root:
            self.fault(number, f"{named} is not what was sealed")
        elif place in held.seen:
            self.fault(number, f"{named} stands here twice")
        held.seen.add(place)

    def _close(self) -> None:
        """All rows of the open seal have been read."""
        held, self._open = self._open, None
        if held is None or not held.with_rows:
            return
        lacking = held.head.row_count - len(held.seen)
        if lacking:
            self._fault_count += 1
            if len(self._faults) < MOST_SAID:
                self._faults.append(
                    f"{lacking:,} rows of seal {held.head.number} of {held.head.creator_id} are "
                    "missing."
                )

    def result(self) -> Checked:
        self._close()
        if not self._begun:
            self._fault_count += 1
            self._faults.insert(0, "The file does not begin as an export of the audit log.")
        notes = []
        if self._unsealed:
            notes.append(f"{self._unsealed:,} rows are not sealed yet: nothing proves them.")
        if self._bare:
            notes.append(f"{self._bare:,} seals are here without their rows, to lead to a head.")
        for creator_id, head in self._heads.items():
            if self._reached.get(creator_id) is None:
                notes.append(
                    f"No head that was kept elsewhere was given for {creator_id}: the file is "
                    f"whole in itself up to seal {head.number}, {head.hash.hex()}."
                )
        heads = tuple(
            KnownHead(creator_id, head.number, head.hash)
            for creator_id, head in self._heads.items()
        )
        return Checked(
            self._rows,
            self._seals,
            self._unsealed,
            self._fault_count,
            tuple(self._faults),
            heads,
            tuple(notes),
        )


def _read_head(line: dict[str, Any]) -> SealHead:
    return SealHead(
        creator_id=UUID(line["creatorId"]),
        number=int(line["number"]),
        sealed_at=datetime.fromisoformat(line["sealedAt"]),
        from_id=UUID(line["fromId"]),
        below_id=UUID(line["belowId"]),
        row_count=int(line["rowCount"]),
        late=int(line["late"]),
        root=bytes.fromhex(line["root"]),
        ids_hash=bytes.fromhex(line["idsHash"]),
        previous=bytes.fromhex(line["previous"]),
        hash=bytes.fromhex(line["hash"]),
    )


def _read_logged(line: dict[str, Any]) -> LoggedRow:
    actor_id = line["actorId"]
    return LoggedRow(
        creator_id=UUID(line["creatorId"]).bytes,
        id=UUID(line["id"]).bytes,
        at=microseconds(datetime.fromisoformat(line["at"])),
        actor_id=None if actor_id is None else UUID(actor_id).bytes,
        action=line["action"],
        subject_type=line["subjectType"],
        subject_id=line["subjectId"],
        details=line["details"],
    )
