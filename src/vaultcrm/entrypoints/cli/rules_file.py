"""Content rules out of a file, for `vaultcrm check --rules`: one rule a line, as JSON."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer

from vaultcrm.domain.content_rules import ContentRule, OwnRules, RuleDraft, RuleKind
from vaultcrm.domain.errors import InvalidInput
from vaultcrm.domain.ids import new_id
from vaultcrm.domain.safety import Category, FindingTier, Scope
from vaultcrm.pipeline.safety.own_rules import checked

_FIELDS = frozenset({"kind", "text", "category", "tier", "scopes", "reason"})


def read_rules(path: Path) -> OwnRules:
    """The rules of a file: `{"kind", "text", "category", "reason"}`, and `"tier"` and `"scopes"`
    where they are not `"block"` and `["draft", "chatter"]`.

    Raises BadParameter, which names the line and what is wrong with it: a check with half of the
    rules would say yes too easily.
    """
    try:
        content = path.read_text("utf-8-sig")
    except OSError as error:
        raise typer.BadParameter(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise typer.BadParameter(f"{path} is not UTF-8.") from error
    return OwnRules(new_id(), tuple(_rules(path, content)))


def _rules(path: Path, content: str) -> Iterator[ContentRule]:
    now = datetime.now(UTC)
    for number, line in enumerate(content.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            draft = checked(_draft(json.loads(line)))
        except InvalidInput as error:
            why = str(error)
        except (ValueError, RecursionError) as error:
            why = f"is no rule ({error})"
        else:
            yield ContentRule(new_id(), draft, None, now)
            continue
        raise typer.BadParameter(f"{path}, line {number}: {why}")


def _draft(data: Any) -> RuleDraft:
    """One line as a rule; raises ValueError for what is missing or none of its kind."""
    if not isinstance(data, dict):
        raise ValueError("it must be an object")
    if unknown := sorted(data.keys() - _FIELDS):
        raise ValueError(f"there is no field {unknown[0]}")
    for name in ("kind", "text", "category", "reason"):
        if not isinstance(data.get(name), str):
            raise ValueError(f"{name} must be a text")
    scopes = data.get("scopes", [Scope.DRAFT, Scope.CHATTER])
    if not isinstance(scopes, list):
        raise ValueError("scopes must be a list")
    return RuleDraft(
        kind=RuleKind(data["kind"]),
        text=data["text"],
        category=Category(data["category"]),
        reason=data["reason"],
        tier=FindingTier(data.get("tier", FindingTier.BLOCK)),
        scopes=tuple(Scope(scope) for scope in scopes),
    )
