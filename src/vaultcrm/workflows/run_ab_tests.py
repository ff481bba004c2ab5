"""Add A/B tests, start them and end them. Which variant a draft gets is in `under_test`.

Each function runs in the caller's transaction, with its audit entry.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from psycopg.errors import UniqueViolation

from vaultcrm.adapters.llm.catalog import find_model
from vaultcrm.controls.auth import require_creator, require_role
from vaultcrm.db.pending import Connection, Record
from vaultcrm.db.queries import ab_tests, alerts, audit, personalities, templates
from vaultcrm.domain.alerts import AlertKind, creator_subject
from vaultcrm.domain.audit import AuditAction, AuditEntry
from vaultcrm.domain.draft_options import LONGEST_BEGINNING
from vaultcrm.domain.errors import Conflict, FieldProblem, InvalidInput, NotFound
from vaultcrm.domain.experiments import (
    AbTestDesign,
    AbTestStatus,
    Variant,
    VariantKind,
)
from vaultcrm.domain.people import Caller, Role
from vaultcrm.pipeline.experiments.assignment import share_of_fans
from vaultcrm.pipeline.prompting import PROMPT_VERSIONS

GREATEST_VERSION = 2**31 - 1
FEWEST_VARIANTS = 2
AS_USUAL = AbTestDesign()


async def add_ab_test(
    connection: Connection,
    caller: Caller,
    creator_id: UUID,
    name: str,
    variants: Sequence[Variant],
    now: datetime,
    design: AbTestDesign = AS_USUAL,
) -> Record:
    """Add a test as a draft and return its record.

    Raises Forbidden for a chatter, NotFound, Conflict when the name is taken, or InvalidInput when
    two variants have one name, are of several kinds, or refer to what the creator does not have,
    and when there are fewer than two.
    """
    _require_manager(caller, creator_id)
    _refuse(_too_few(variants))
    _refuse([*_repeated_names(variants), *_other_kinds(variants)])
    checked = await _with_references(connection, creator_id, variants, now)
    sent = await ab_tests.add_ab_test(
        connection,
        creator_id=creator_id,
        name=name,
        kind=checked[0].kind,
        variants=checked,
        design=design,
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
    change, and when another test of the same kind runs for this creator, or InvalidInput when a
    draft refers to what is not there any more.
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
        variants = [Variant(**one) for one in before["variants"]]
        await _with_references(connection, creator_id, variants, now)
    try:
        sent = await ab_tests.set_ab_test_status(connection, creator_id, test_id, status, now)
        changed = await sent.answer()
    except UniqueViolation:
        raise _one_at_a_time(before, "Another test") from None
    if not changed:
        again = await (await ab_tests.get_ab_test(connection, creator_id, test_id)).answer()
        raise _no_such_step(again[0])
    [test] = changed
    if status is AbTestStatus.RUNNING:
        weights = {one["name"]: one["weight"] for one in test["variants"]}
        test = await ab_tests.share_out(connection, creator_id, test_id, share_of_fans(weights))
    else:
        subject = f"{creator_subject(creator_id)}/{test_id}"
        await alerts.clear_alert(connection, AlertKind.AB_TEST, now, subject=subject)
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


def _too_few(variants: Sequence[Variant]) -> Sequence[FieldProblem]:
    if len(variants) >= FEWEST_VARIANTS:
        return []
    reason = "must be at least two: with one variant there is nothing to compare"
    return [FieldProblem("variants", reason)]


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
    connection: Connection, creator_id: UUID, variants: Sequence[Variant], now: datetime
) -> list[Variant]:
    """The variants with references in the form that they are stored in; raises InvalidInput."""
    match variants[0].kind:
        case VariantKind.TEMPLATE:
            ids = [_template_id(variant.reference) for variant in variants]
            wanted = [one for one in ids if one is not None]
            known = await (await templates.known_templates(connection, creator_id, wanted)).answer()
            told = [str(one) if one in known else None for one in ids]
            found = _told(variants, told, "must be the id of a template of this creator")
            facts = await (await templates.categories(connection, creator_id, wanted)).answer()
            _refuse([*_unlike_templates(found, facts)])
            return found
        case VariantKind.PERSONALITY:
            numbers = [_version(variant.reference) for variant in variants]
            asked = [one for one in numbers if one is not None]
            there = await (
                await personalities.known_versions(connection, creator_id, asked)
            ).answer() | {0}
            told = [str(one) if one in there else None for one in numbers]
            return _told(variants, told, "must be a version of this creator's personality")
        case VariantKind.PROMPT:
            told = [one.reference if one.reference in PROMPT_VERSIONS else None for one in variants]
            known_versions = " or ".join(PROMPT_VERSIONS)
            return _told(variants, told, f"must be a version of the prompt: {known_versions}")
        case VariantKind.MODEL:
            told = [None if _is_retired(one.reference, now) else one.reference for one in variants]
            return _told(variants, told, "is a model that was retired: calls of it fail")


def _is_retired(model: str, now: datetime) -> bool:
    retired = find_model(model).retired
    return retired is not None and retired <= now.date()


def _unlike_templates(
    variants: Sequence[Variant], facts: Mapping[str, tuple[str, int]]
) -> Iterable[FieldProblem]:
    """Templates of several categories are for different drafts, and one that is too long for a
    draft to begin from would never be used. `facts`: category and length, by the template's id.
    """
    first = facts[variants[0].reference][0]
    for index, variant in enumerate(variants):
        category, length = facts[variant.reference]
        if category != first:
            reason = f"must be a template of the category {first}, as that of variants.0"
            yield FieldProblem(f"variants.{index}.reference", reason)
        elif length > LONGEST_BEGINNING:
            reason = f"must be a template of at most {LONGEST_BEGINNING:,} characters"
            yield FieldProblem(f"variants.{index}.reference", reason)


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
