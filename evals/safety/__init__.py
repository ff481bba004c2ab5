"""How much of what is meant the content filter finds, and how seldom it is wrong.

| module     | holds                                                                             |
|------------|-----------------------------------------------------------------------------------|
| `families` | the ways to disguise a word, each a function of a word and a source of chance      |
| `benign`   | innocent chat, made from `benign.toml`                                            |
| `recall`   | offences (`offences/*.jsonl` and the packs' own examples) in every disguise        |
| `report`   | the tables, and which of their figures are worse than `thresholds.toml` allows     |

The characters and words here were chosen without looking at the filter's own tables.
"""
