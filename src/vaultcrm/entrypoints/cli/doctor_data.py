"""What `vaultcrm doctor` says of data duties: whether old rows go, and erasures come to an end."""

from datetime import UTC, datetime, timedelta

from vaultcrm.domain.erasure import LAST_LOOK_AFTER
from vaultcrm.entrypoints.cli.doctor_checks import Check, ok, warning

LATE = timedelta(hours=1)
_PRUNED = "SELECT max(pruned_at), COALESCE(sum(all_rows), 0)::bigint FROM prunings"
_OVERDUE = "SELECT count(*) FROM erasures WHERE finished_at IS NULL AND requested_at < %(before)s"
START_A_WORKER = "See that a worker runs: vaultcrm worker."


def check_data(url: str) -> list[Check]:
    """Raises `DatabaseUnavailable`."""
    from vaultcrm.db.pool import connect
    from vaultcrm.db.row_scope import EVERYTHING, SEE

    now = datetime.now(UTC)
    with connect(url) as connection:
        connection.execute(SEE, (EVERYTHING,))
        pruned = connection.execute(_PRUNED).fetchone()
        overdue = connection.execute(_OVERDUE, {"before": now - LAST_LOOK_AFTER - LATE}).fetchone()
    checks = [_retention(pruned, now)]
    if overdue is not None and overdue[0]:
        seen = f"{overdue[0]} fans were to be erased over an hour ago and are not yet"
        checks.append(warning("Erasure", seen, START_A_WORKER))
    return checks


def _retention(pruned: tuple[datetime | None, int] | None, now: datetime) -> Check:
    at, rows = pruned or (None, 0)
    if at is None:
        return ok("Retention", "old rows were not looked for yet: a worker does so every hour")
    seen = f"{rows:,} old rows removed so far, looked for {at:%Y-%m-%d %H:%M} UTC"
    if now - at > 2 * LATE:
        return warning("Retention", seen, START_A_WORKER)
    return ok("Retention", seen)
