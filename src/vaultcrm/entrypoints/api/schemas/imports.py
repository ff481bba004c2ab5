"""What an import did."""

from itertools import islice

from vaultcrm.entrypoints.api.fields import Schema
from vaultcrm.entrypoints.api.schemas.problems import FieldProblemOut
from vaultcrm.workflows.import_conversations import ImportReport

MOST_PROBLEMS_TOLD = 100


class BadLineOut(Schema):
    """A line that was skipped. `line` counts from 1; `more` reasons beside these are not told."""

    line: int
    reasons: list[FieldProblemOut]
    more: int


class ImportOut(Schema):
    """`lines` are those that are not blank; "known" was there before, and stays as it is.

    `purchasesNew` are known messages that are now marked as bought. `problems` tells the first
    hundred bad lines; `moreProblems` says how many there are beside them.
    """

    lines: int
    lines_skipped: int
    creators_new: int
    fans_new: int
    fans_changed: int
    conversations_new: int
    conversations_known: int
    messages_new: int
    messages_known: int
    purchases_new: int
    changed: bool
    problems: list[BadLineOut]
    more_problems: int

    @classmethod
    def of(cls, report: ImportReport) -> "ImportOut":
        told = [
            BadLineOut(
                line=problem.line,
                reasons=[FieldProblemOut(field=r.field, reason=r.reason) for r in problem.reasons],
                more=problem.more,
            )
            for problem in islice(report.problems, MOST_PROBLEMS_TOLD)
        ]
        return cls(
            lines=report.lines,
            lines_skipped=report.lines_skipped,
            creators_new=report.creators_new,
            fans_new=report.fans_new,
            fans_changed=report.fans_changed,
            conversations_new=report.conversations_new,
            conversations_known=report.conversations_known,
            messages_new=report.messages_new,
            messages_known=report.messages_known,
            purchases_new=report.purchases_new,
            changed=report.changed,
            problems=told,
            more_problems=report.lines_skipped - len(told),
        )
