"""The database as `vaultcrm doctor` finds it: looked at, never migrated or made."""

import asyncio
import json
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from vaultcrm.domain.errors import DatabaseUnavailable
from vaultcrm.domain.ids import NIL
from vaultcrm.entrypoints.cli.doctor_checks import Check, failed, ok, warning
from vaultcrm.entrypoints.cli.doctor_data import check_data
from vaultcrm.settings import Settings


@dataclass(frozen=True, slots=True)
class Examined:
    """`clock_ahead` is the server's clock less ours in seconds; None on the same machine."""

    checks: tuple[Check, ...]
    clock_ahead: float | None = None


@dataclass(frozen=True, slots=True)
class _Seen:
    version: str
    encoding: str
    standby: bool
    may_create: bool
    user: str
    most_connections: int
    clock_ahead: float


_LOOK = """
    SELECT current_setting('server_version'), current_setting('server_encoding'),
           pg_is_in_recovery(), has_schema_privilege(current_schema(), 'CREATE') IS TRUE,
           current_user, current_setting('max_connections')::int
"""

_CLOCK = "SELECT extract(epoch FROM clock_timestamp())::float8"


def examine_database(settings: Settings) -> Examined:
    """Reach the database and see whether this release can work with it.

    An embedded server that does not run is started for it and stopped again; one whose data was
    never made is not made.
    """
    if settings.database_url is not None:
        return _examine(settings.database_url, "DATABASE_URL", settings)
    home = settings.vaultcrm_home
    if not (home / "postgres").exists():
        seen = f"embedded, in {home}: not made yet, the first start makes it"
        return Examined((ok("Database", seen),))
    from vaultcrm.db.embedded import start_embedded

    try:
        with start_embedded(home) as server:
            examined = _examine(server.url(), "embedded", settings)
    except DatabaseUnavailable as error:
        return Examined((failed("Database", f"embedded, in {home}: does not work", str(error)),))
    return replace(examined, clock_ahead=None)


def _examine(url: str, kind: str, settings: Settings) -> Examined:
    from vaultcrm.db.migrate import current, pending
    from vaultcrm.db.pool import check_reachable

    try:
        check_reachable(url)
        seen = _look(url)
        at = current(url)
    except DatabaseUnavailable as error:
        return Examined((failed("Database", f"{kind}: does not work", str(error)),))
    checks = _server_checks(seen, kind, settings)
    try:
        missing = pending(url)
    except DatabaseUnavailable as error:
        checks.append(failed("Schema", f"revision {at}", str(error)))
        return Examined(tuple(checks), seen.clock_ahead)
    checks.append(_schema_check(at, missing, seen))
    if not missing:
        checks.append(_audit_check(url, kind))
        checks.append(_rows_check(url))
        checks.extend(check_data(url))
        overrides, accounts = asyncio.run(_stored(url, settings))
        checks.append(_flags_check(overrides))
        checks.extend(accounts)
    return Examined(tuple(checks), seen.clock_ahead)


def _look(url: str) -> _Seen:
    from vaultcrm.db.pool import connect

    with connect(url) as connection:
        row = connection.execute(_LOOK).fetchone()
        before = time.time()
        clock = connection.execute(
            "SELECT extract(epoch FROM clock_timestamp())::float8"
        ).fetchone()
        after = time.time()
    assert row is not None  # noqa: S101 -- a SELECT without FROM answers one row
    assert clock is not None  # noqa: S101 -- as above
    version, encoding, standby, may_create, user, most = row
    ahead = clock[0] - (before + after) / 2
    return _Seen(version.split(" ")[0], encoding, standby, may_create, user, most, ahead)


def _server_checks(seen: _Seen, kind: str, settings: Settings) -> list[Check]:
    checks = [ok("Database", f"{kind}, PostgreSQL {seen.version}, reached as {seen.user}")]
    if seen.standby:
        checks = [
            failed(
                "Database",
                f"{kind}, PostgreSQL {seen.version}: a standby, which cannot be written",
                "Name the primary server in DATABASE_URL.",
            )
        ]
    if seen.encoding != "UTF8":
        checks.append(
            failed(
                "Encoding",
                f"{seen.encoding}: texts in many scripts cannot be stored",
                "Make a database with ENCODING 'UTF8', and name it in DATABASE_URL.",
            )
        )
    if settings.database_pool_size * 2 > seen.most_connections:
        checks.append(
            warning(
                "Connections",
                f"the server gives {seen.most_connections} in all, and each process takes up to "
                f"{settings.database_pool_size}",
                "Lower DATABASE_POOL_SIZE, or raise the server's max_connections.",
            )
        )
    return checks


def _schema_check(at: str | None, missing: list[str], seen: _Seen) -> Check:
    if not missing:
        return ok("Schema", f"revision {at}, the newest")
    found = f"revision {at}" if at else "empty"
    listed = f"{found}, pending: {', '.join(missing)}"
    if not seen.may_create:
        return failed(
            "Schema",
            f"{listed}; the user {seen.user} may not make tables",
            f"Run: GRANT CREATE ON SCHEMA public TO {seen.user}; as the database's owner.",
        )
    return warning("Schema", listed, "Run vaultcrm migrate, or let the next start do it.")


def _audit_check(url: str, kind: str) -> Check:
    """Whether the application, as it connects, could change the audit log."""
    from vaultcrm.db.role_setup import application_address, see_split

    split = see_split(url)
    if kind == "embedded" and not split.may_change:
        # Which the first start with this release lets log in.
        with suppress(DatabaseUnavailable):
            split = see_split(application_address(url))
    if split.may_change:
        return warning(
            "Audit",
            f"{split.role} can change and delete {', '.join(split.may_change)}",
            "Make the role vaultcrm_app with the statements of docs/audit.md, then run "
            "vaultcrm migrate.",
        )
    if split.may_leave:
        return ok(
            "Audit",
            f"added to as {split.role}, which cannot change it; {split.login}, which connects, "
            "could",
            "docs/audit.md says how to connect as a user who cannot either.",
        )
    return ok("Audit", f"added to as {split.role}, which cannot change it")


def _rows_check(url: str) -> Check:
    """Whether PostgreSQL itself keeps a request to its caller's creators."""
    from vaultcrm.db.row_security import see_wall

    wall = see_wall(url)
    if wall.without:
        return warning(
            "Rows",
            f"nothing but each query's filter keeps creators apart in {', '.join(wall.without)}",
            "Run vaultcrm migrate as the owner of the tables. On a Citus cluster it is always so.",
        )
    if not wall.is_bound:
        return warning(
            "Rows",
            f"{wall.role}, which the application works as, sees past row-level security",
            "Make the role vaultcrm_app with the statements of docs/audit.md, then run "
            "vaultcrm migrate.",
        )
    return ok("Rows", f"{wall.role} sees those of a caller's creators alone: row-level security")


def _flags_check(overrides: dict[str, Any]) -> Check:
    if not overrides:
        return ok("Flags", "as the settings say; none is set at run time for everybody")
    listed = ", ".join(f"{name}={json.dumps(value)}" for name, value in sorted(overrides.items()))
    return ok("Flags", f"set at run time, over the settings: {listed}")


async def _stored(url: str, settings: Settings) -> tuple[dict[str, Any], list[Check]]:
    """The installation's overrides of flags, and how the accounts on platforms are."""
    import psycopg

    from vaultcrm.db.pool import connect_string
    from vaultcrm.db.queries import flags
    from vaultcrm.db.row_scope import EVERYTHING, SEE
    from vaultcrm.entrypoints.cli.doctor_accounts import check_accounts

    async with await psycopg.AsyncConnection.connect(
        connect_string(url), autocommit=True
    ) as connection:
        await connection.execute(SEE, (EVERYTHING,))
        installation, _ = await flags.overrides(connection, NIL)
        return installation, await check_accounts(connection, settings)
