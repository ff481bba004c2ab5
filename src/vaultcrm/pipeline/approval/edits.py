"""How far a person's version is from the draft."""


def edit_distance(original: str, final: str) -> int:
    """Levenshtein distance in words: how many words were put in, taken out or exchanged.

    Words rather than letters, because that is what a person edits; 0 for the same words. Takes
    time and memory proportional to the product and the smaller of the two lengths.
    """
    one, other = original.split(), final.split()
    if one == other:
        return 0
    if len(one) < len(other):
        one, other = other, one
    previous = list(range(len(other) + 1))
    for row, word in enumerate(one, start=1):
        current = [row]
        for column, candidate in enumerate(other, start=1):
            current.append(
                min(
                    previous[column] + 1,
                    current[column - 1] + 1,
                    previous[column - 1] + (word != candidate),
                )
            )
        previous = current
    return previous[-1]
