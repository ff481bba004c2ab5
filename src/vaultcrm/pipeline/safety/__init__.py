"""The content filter: reads a text, says what is wrong with it and where.

| module          | holds                                                                      |
|-----------------|----------------------------------------------------------------------------|
| `filter`        | `ContentFilter`, the step itself: text in, `SafetyReport` out              |
| `normalise`     | the views of a text that rules run over, each with a map back to the text  |
| `packs`         | rules as data: reading and validating `packs/*.toml`                       |
| `matching`      | one automaton for all terms, one prefilter for all patterns                |
| `patterns`      | RE2 patterns that say no quickly                                           |
| `own_rules`     | what a creator's team adds and excepts, checked and made ready             |
| `personal_data` | what a word list cannot hold: numbers with checksums, addresses, links     |
"""
