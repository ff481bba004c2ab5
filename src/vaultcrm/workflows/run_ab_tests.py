"""Add A/B tests, start them and end them. Which variant a draft gets is not decided here.

Each function runs in the caller's transaction, with its audit entry.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from psycopg.errors import UniqueViolation

from vaultcrm.controls.auth import require_creator, require_role
from vaultcrm.db.pending import Connection, Record
from vaultcrm.db.queries import ab_tests, audit, personalities, templates
from vaultcrm.domain.audit import AuditAction, AuditEntry
from vaultcrm.domain.errors import Conflict, FieldProblem, InvalidInput, NotFound
from vaultcrm.domain.experiments import AbTestStatus, Variant, VariantKind
from vaultcrm.domain.people import Caller, Role

GREATEST_VERSION = 2**31 - 1


async def add_ab_test(
    connection: Connection,
    caller: Caller,
    creator_id: UUID,
    name: str,
    variants: Sequence[Variant],
    now: datetime,
) -> Record:
    """Add a test as a draft and return its record.

    Raises Forbidden for a chatter, NotFound, Conflict when the name is taken, or InvalidInput when
    two variants have one name, are of several kinds, or refer to what the creator does not have.
    """
    _require_manager(caller, creator_id)
    _refuse([*_repeated_names(variants), *_other_kinds(variants)])
    checked = await _with_references(connection, creator_id, variants)
    sent = await ab_tests.add_ab_test(
        connection,
        creator_id=creator_id,
        name=name,
        kind=checked[0].kind,
        variants=checked,
        now=now,
    )
    added = await sent.answer()
    if not added:
        raise Conflict(f"This creator has an A/B test named {name} already.")
    [test] = added
    await _record(connection, caller, test, AuditAction.AB_TEST_ADDED, now)
    return test


async def change_ab_test_status(
    connection: Connection,
    caller: Caller,
    creator_id: UUID,
    test_id: UUID,
    status: AbTestStatus,
    now: datetime,
) -> Record:
    """Start a draft, or end a running test, and return its record as it is then.

    Raises Forbidden for a chatter, NotFound, or Conflict with the present status for any other
    change, and when another test of the same kind runs for this creator.
    """
    _require_manager(caller, creator_id)
    found = await (await ab_tests.get_ab_test(connection, creator_id, test_id)).answer()
    if not found:
        raise NotFound("A/B test")
    [before] = found
    if status is AbTestStatus.DRAFT:
        raise _no_such_step(before)
    if status is AbTestStatus.RUNNING and before["status"] == AbTestStatus.DRAFT:
        kind = VariantKind(before["kind"])
        running = await (await ab_tests.running_ab_test(connection, creator_id, kind)).answer()
        if running:
            raise _one_at_a_time(before, f"The test {running[0]['test_name']}")
    try:
        sent = await ab_tests.set_ab_test_status(connection, creator_id, test_id, status, now)
        changed = await sent.answer()
    except UniqueViolation:
        raise _one_at_a_time(before, "Another test") from None
    if not changed:
        again = await (await ab_tests.get_ab_test(connection, creator_id, test_id)).answer()
        raise _no_such_step(again[0])
    [test] = changed
    await _record(connection, caller, test, AuditAction.AB_TEST_CHANGED, now)
    return test


def _require_manager(caller: Caller, creator_id: UUID) -> None:
    require_role(caller, Role.MANAGER, Role.ADMIN, Role.SERVICE)
    require_creator(caller, creator_id)


def _no_such_step(test: Record) -> Conflict:
    return Conflict(
        f"This test is {test['status']}. A test goes from draft to running to ended, one step at a "
        "time.",
        status=test["status"],
    )


def _one_at_a_time(test: Record, other: str) -> Conflict:
    return Conflict(
        f"{other} of the kind {test['kind']} is running for this creator. End it first.",
        status=test["status"],
    )


def _refuse(problems: Sequence[FieldProblem]) -> None:
    if problems:
        raise InvalidInput(*problems)


def _repeated_names(variants: Sequence[Variant]) -> Iterable[FieldProblem]:
    places: dict[str, int] = {}
    for index, variant in enumerate(variants):
        first = places.setdefault(variant.name, index)
        if first != index:
            yield FieldProblem(f"variants.{index}.name", f"is the name of variants.{first} already")


def _other_kinds(variants: Sequence[Variant]) -> Iterable[FieldProblem]:
    kind = variants[0].kind
    for index, variant in enumerate(variants):
        if variant.kind is not kind:
            reason = f"must be {kind.value} as in variants.0: a test compares one kind of thing"
            yield FieldProblem(f"variants.{index}.kind", reason)


async def _with_references(
    connection: Connection, creator_id: UUID, variants: Sequence[Variant]
) -> list[Variant]:
    """The variants with references in the form that they are stored in; raises InvalidInput."""
    match variants[0].kind:
        case VariantKind.TEMPLATE:
            ids = [_template_id(variant.reference) for variant in variants]
            wanted = [one for one in ids if one is not None]
            known = await (await templates.known_templates(connection, creator_id, wanted)).answer()
            told = [str(one) if one in known else None for one in ids]
            return _told(variants, told, "must be the id of a template of this creator")
        case VariantKind.PERSONALITY:
            numbers = [_version(variant.reference) for variant in variants]
            asked = [one for one in numbers if one is not None]
            there = await (
                await personalities.known_versions(connection, creator_id, asked)
            ).answer() | {0}
            told = [str(one) if one in there else None for one in numbers]
            return _told(variants, told, "must be a version of this creator's personality")
        case _:
            return list(variants)


def _told(
    variants: Sequence[Variant], references: Sequence[str | None], reason: str
) -> list[Variant]:
    """The variants with these references; raises InvalidInput for each that is None."""
    _refuse(
        [
            FieldProblem(f"variants.{index}.reference", reason)
            for index, reference in enumerate(references)
            if reference is None
        ]
    )
    return [
        replace(variant, reference=reference)
        for variant, reference in zip(variants, references, strict=True)
        if reference is not None
    ]


def _template_id(reference: str) -> UUID | None:
    try:
        return UUID(reference)
    except ValueError:
        return None


def _version(reference: str) -> int | None:
    if not (reference.isascii() and reference.isdecimal()) or len(reference) > 10:
        return None
    number = int(reference)
    return number if number <= GREATEST_VERSION else None


async def _record(
    connection: Connection, caller: Caller, test: Record, action: AuditAction, now: datetime
) -> None:
    await audit.record(
        connection,
        AuditEntry(
            creator_id=test["creator_id"],
            actor_id=caller.user_id,
            action=action,
            subject_type="ab_test",
            subject_id=str(test["id"]),
            at=now,
            details={"kind": test["kind"], "status": test["status"]},
        ),
    )
