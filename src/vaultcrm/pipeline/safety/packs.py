"""Rules as data: one TOML file a category in `packs/`, read and validated here.

A pack:

    category = "off_platform_payment"

    [[rule]]
    id = "payment_app"                # the finding's rule is "off_platform_payment.payment_app"
    tier = "block"                    # or a table: { draft = "block", fan = "review" }
    scopes = ["draft", "chatter"]     # left out when `tier` is a table: its keys are the scopes
    reason = "Names a way to pay outside the platform."
    score = 0.95                      # how sure the rule is, above 0 to 1
    terms = ["cash app", "venmo"]     # whole words, in the form that `normalise.fold` gives
    patterns = ['\\bpay me\\b']         # RE2, over folded text
    unless_before = ['\\bnever ?$']    # RE2; a match is dropped if one fits the text before it,
    unless_after = ['^ ?minutes']     # or after it (`CONTEXT` characters of the same view)
    unless_match = ['^one two']       # RE2; a match is dropped if one fits what was matched
    unless_within = ["raccoon"]       # folded words; a match is dropped if it is part of one, as a
                                      # short term can be where a word is spelled letter by letter
    examples.match = ["..."]          # the tests run both, in the rule's first scope
    examples.clean = ["..."]

In `obfuscation.toml` a rule may instead hold `raw_patterns` (RE2 over the text as it was typed,
skipped for pure ASCII) or `disguise`, which fires where another rule matched something disguised.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

import re2

from vaultcrm.domain.safety import Category, FindingTier, Scope
from vaultcrm.pipeline.safety.normalise.folding import fold
from vaultcrm.pipeline.safety.normalise.view import Disguise
from vaultcrm.pipeline.safety.patterns import quiet_options

CONTEXT = 64
"""How much text before and after a match `unless_before` and `unless_after` see, in characters."""

_NOT_IN_PACKS = frozenset({Category.FORBIDDEN_WORD, Category.FILTER_ERROR})
_PATTERN_FIELDS = ("patterns", "unless_before", "unless_after", "unless_match", "raw_patterns")
_WORD_FIELDS = ("terms", "unless_within")
_TEXT_FIELDS = (*_WORD_FIELDS, *_PATTERN_FIELDS)
_FIELDS = frozenset({"id", "tier", "scopes", "reason", "score", "disguise", "examples"}).union(
    _TEXT_FIELDS
)


class PackError(ValueError):
    """A rule pack is wrong. Says file, rule and field."""

    def __init__(self, file: str, rule: str, field: str, problem: str) -> None:
        where = f"rule {rule!r}, " if rule else ""
        super().__init__(f"{file}: {where}{field}: {problem}")


_WORD = re.compile(r"[a-z]+")
_NOT_LITERAL = re.compile(r"\\x\{\w+\}|\\.|\[[^\]]*\]|\{[\d,]+\}")
_OPTIONAL_MARK = re.compile(r"['\-]\?")
_OPTIONAL_LETTER = re.compile(r"([a-z]+)[a-z]\?")
_EITHER_LETTER = re.compile(r"([a-z]+)\[([a-z]{2,3})\]([a-z]*)")
_ENDINGS = re.compile(r"([a-z]+)\(\?:([a-z|]+)\)")


def _literal_words(pattern: str) -> Iterator[str]:
    """The words in a pattern, as `sell` and `selling` in `sell(?:ing)?`."""
    literal = _OPTIONAL_MARK.sub("", _NOT_LITERAL.sub(" ", pattern))
    yield from _WORD.findall(literal)
    yield from _OPTIONAL_LETTER.findall(literal)
    for before, letters, after in _EITHER_LETTER.findall(pattern):
        yield from (before + letter + after for letter in letters)
    for stem, endings in _ENDINGS.findall(literal):
        yield from (stem + ending for ending in endings.split("|"))


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `name` is "category.id"; `tiers` says in which scopes it applies and how hard."""

    name: str
    category: Category
    tiers: Mapping[Scope, FindingTier]
    reason: str
    score: float
    terms: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    unless_before: tuple[str, ...] = ()
    unless_after: tuple[str, ...] = ()
    unless_match: tuple[str, ...] = ()
    unless_within: tuple[str, ...] = ()
    raw_patterns: tuple[str, ...] = ()
    disguise: Disguise | None = None
    matching_examples: tuple[str, ...] = ()
    clean_examples: tuple[str, ...] = ()

    @property
    def has_exceptions(self) -> bool:
        return any((self.unless_before, self.unless_after, self.unless_match, self.unless_within))

    @property
    def words(self) -> frozenset[str]:
        """The words of terms, patterns and matching examples, folded."""
        texts = (*self.terms, *(fold(example) for example in self.matching_examples))
        words = {word for text in texts for word in _WORD.findall(text)}
        return frozenset(words.union(*map(_literal_words, self.patterns)))

    @property
    def words_of_rules(self) -> frozenset[str]:
        """The words of terms and patterns alone, folded."""
        words = {word for term in self.terms for word in _WORD.findall(term)}
        return frozenset(words.union(*map(_literal_words, self.patterns)))

    @property
    def first_scope(self) -> Scope:
        """The scope that the examples are written for."""
        return next(iter(self.tiers))


@dataclass(frozen=True, slots=True)
class Pack:
    category: Category
    rules: tuple[Rule, ...]


def load_packs() -> tuple[Pack, ...]:
    """All packs that come with the product, by category. Raises `PackError`."""
    packs, broken = read_packs()
    if broken:
        raise broken[0]
    return packs


def read_packs(folder: Traversable | None = None) -> tuple[tuple[Pack, ...], tuple[PackError, ...]]:
    """The packs of a folder that can be read, by category, and what is wrong with the others.

    None is the folder that comes with the product. A category without a file counts as wrong.
    """
    folder = folder or resources.files("vaultcrm.pipeline.safety") / "packs"
    files = sorted((f for f in folder.iterdir() if f.name.endswith(".toml")), key=_name)
    packs: list[Pack] = []
    broken: list[PackError] = []
    for file in files:
        try:
            packs.append(parse_pack(_text_of(file), file.name))
        except PackError as error:
            broken.append(error)
    present = {file.name for file in files}
    broken += [
        PackError(f"{category}.toml", "", "category", "the file is missing")
        for category in Category
        if f"{category}.toml" not in present and category not in _NOT_IN_PACKS
    ]
    return tuple(packs), tuple(broken)


def _text_of(file: Traversable) -> str:
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PackError(file.name, "", "file", str(error)) from error


def _name(file: Traversable) -> str:
    return file.name


def parse_pack(source: str, file: str) -> Pack:
    """One pack from TOML text; `file` names it in errors and must be "<category>.toml"."""
    try:
        data = tomllib.loads(source)
    except tomllib.TOMLDecodeError as error:
        raise PackError(file, "", "syntax", str(error)) from error
    if unknown := sorted(data.keys() - {"category", "rule"}):
        raise PackError(file, "", unknown[0], "no such field in a pack")
    try:
        category = Category(data.get("category", ""))
    except ValueError as error:
        raise PackError(file, "", "category", str(error)) from error
    if category in _NOT_IN_PACKS:
        raise PackError(file, "", "category", f"{category} is not made of rules")
    if file != f"{category}.toml":
        raise PackError(file, "", "category", f"the file must be named {category}.toml")
    entries = data.get("rule")
    if not isinstance(entries, list) or not entries:
        raise PackError(file, "", "rule", "a pack needs at least one [[rule]]")
    rules = tuple(_Reader(file, entry).rule(category) for entry in entries)
    names = [rule.name for rule in rules]
    for name in names:
        if names.count(name) > 1:
            raise PackError(file, name.partition(".")[2], "id", "used twice")
    return Pack(category, rules)


class _Reader:
    """Reads one `[[rule]]` table and knows where it is, for the errors."""

    def __init__(self, file: str, entry: object) -> None:
        if not isinstance(entry, dict):
            raise PackError(file, "", "rule", "must be a [[rule]] table")
        self._file = file
        self._entry: dict[str, Any] = entry
        name = entry.get("id")
        self._id = name if isinstance(name, str) else ""
        if not self._id.isidentifier() or self._id != self._id.lower():
            raise self._error("id", "must be a lower-case word such as payment_app")
        if unknown := sorted(entry.keys() - _FIELDS):
            raise self._error(unknown[0], "no such field in a rule")

    def _error(self, field: str, problem: str) -> PackError:
        return PackError(self._file, self._id, field, problem)

    def rule(self, category: Category) -> Rule:
        texts = {field: self._strings(field) for field in _TEXT_FIELDS}
        disguise = self._disguise()
        if not (texts["terms"] or texts["patterns"] or texts["raw_patterns"] or disguise):
            raise self._error("terms", "a rule needs terms, patterns, raw_patterns or disguise")
        for field in _WORD_FIELDS:
            self._check_words(field, texts[field])
        for field in _PATTERN_FIELDS:
            self._check_patterns(field, texts[field])
        matching, clean = self._examples()
        return Rule(
            name=f"{category}.{self._id}",
            category=category,
            tiers=self._tiers(),
            reason=self._reason(),
            score=self._score(),
            disguise=disguise,
            matching_examples=matching,
            clean_examples=clean,
            **texts,
        )

    def _strings(self, field: str) -> tuple[str, ...]:
        value = self._entry.get(field, [])
        if not isinstance(value, list) or not all(isinstance(v, str) and v for v in value):
            raise self._error(field, "must be a list of texts that are not empty")
        if len(set(value)) != len(value):
            raise self._error(field, "holds a text twice")
        return tuple(value)

    def _check_words(self, field: str, words: tuple[str, ...]) -> None:
        for word in words:
            written = " ".join(fold(word).split())
            if written != word:
                raise self._error(field, f"{word!r} must be written {written!r}")
            if not (word[0].isalnum() and word[-1].isalnum()):
                raise self._error(field, f"{word!r} must begin and end with a letter or digit")

    def _check_patterns(self, field: str, patterns: tuple[str, ...]) -> None:
        for pattern in patterns:
            try:
                compiled = re2.compile(pattern, quiet_options())
            except re2.error as error:
                raise self._error(field, f"{pattern!r} is not a valid RE2 pattern") from error
            if compiled.search("") is not None:
                raise self._error(field, f"{pattern!r} matches the empty text")

    def _disguise(self) -> Disguise | None:
        value = self._entry.get("disguise")
        if value is None:
            return None
        try:
            return Disguise(value)
        except ValueError as error:
            raise self._error("disguise", str(error)) from error

    def _tiers(self) -> dict[Scope, FindingTier]:
        tier, scopes = self._entry.get("tier"), self._entry.get("scopes")
        if isinstance(tier, dict):
            if scopes is not None:
                raise self._error("scopes", "leave it out where tier is a table by scope")
            if not tier:
                raise self._error("tier", "needs at least one scope")
            return {self._scope("tier", key): self._tier(value) for key, value in tier.items()}
        if not isinstance(scopes, list) or not scopes:
            raise self._error("scopes", "must be a list of draft, chatter, fan")
        return {self._scope("scopes", scope): self._tier(tier) for scope in scopes}

    def _scope(self, field: str, value: object) -> Scope:
        try:
            return Scope(str(value))
        except ValueError as error:
            raise self._error(field, f"{value!r} is none of draft, chatter, fan") from error

    def _tier(self, value: object) -> FindingTier:
        try:
            return FindingTier(str(value))
        except ValueError as error:
            raise self._error("tier", f"{value!r} is none of block, review, note") from error

    def _reason(self) -> str:
        value = self._entry.get("reason")
        if not isinstance(value, str) or not value.strip().endswith("."):
            raise self._error("reason", "must be a sentence that ends with a full stop")
        return value.strip()

    def _score(self) -> float:
        value = self._entry.get("score")
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
            raise self._error("score", "must be a number above 0 and at most 1")
        return float(value)

    def _examples(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        value = self._entry.get("examples")
        if not isinstance(value, dict) or value.keys() != {"match", "clean"}:
            raise self._error("examples", "must hold match and clean, and nothing else")
        for field, texts in value.items():
            if (
                not isinstance(texts, list)
                or not texts
                or not all(isinstance(t, str) for t in texts)
            ):
                raise self._error(f"examples.{field}", "must be a list of at least one text")
        return tuple(value["match"]), tuple(value["clean"])
