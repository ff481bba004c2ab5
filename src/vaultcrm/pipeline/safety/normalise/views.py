"""All views of a text, made in the order in which they rest on each other."""

from vaultcrm.pipeline.safety.normalise.folding import fold
from vaultcrm.pipeline.safety.normalise.joining import joined_views
from vaultcrm.pipeline.safety.normalise.leet import leet_view
from vaultcrm.pipeline.safety.normalise.signs import signs_view
from vaultcrm.pipeline.safety.normalise.view import View, ViewName
from vaultcrm.pipeline.safety.normalise.vocabulary import NO_WORDS, Vocabulary


def plain_view(text: str) -> View:
    """The first of the views alone, for what needs no other."""
    return View(ViewName.PLAIN, fold(text), text)


def views_of(text: str, vocabulary: Vocabulary = NO_WORDS) -> tuple[View, ...]:
    """`plain`, then every other view that reads differently. Time and space linear in the text.

    There are several `joined` views where letters that were pulled apart can be read in words of
    the `vocabulary`; the first joins them all. `reread` is not among them: it needs a `WordReader`.
    """
    plain = plain_view(text)
    views = [plain]
    if signs := signs_view(plain):
        views.append(signs)
    clearest = views[-1]
    if leet := leet_view(clearest, ViewName.LEET):
        views.append(leet)
    for joined in joined_views(clearest, vocabulary):
        views.append(joined)
        if joined_leet := leet_view(joined, ViewName.JOINED_LEET):
            views.append(joined_leet)
    return tuple(views)
