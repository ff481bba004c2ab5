"""The demo's three creators, their fans, months of messages and a month of work, made from a seed.

| module      | holds                                                                          |
|-------------|--------------------------------------------------------------------------------|
| `world`     | the values that come out                                                       |
| `scripts`   | what was written for it, read from `data/*.toml`                               |
| `build`     | `build_world`: from the scripts, a seed and a time to a `DemoWorld`             |
| `past`      | the values of its history: drafts, decisions, older voices                     |
| `lore`      | what was written for the history, read from `data/history.toml`                |
| `talks`     | the world as its team sees it: what is to be answered, and with what           |
| `assessing` | what is noted of a draft: findings, reasons, confidence, tokens                |
| `history`   | `build_history`: from a world and a seed to a `DemoHistory`                     |
| `voices`, `uses` | its older personalities, and how its templates were used                  |
| `places`    | the ids behind the handles of a world that was imported                        |
| `rows`, `keeping` | `keep_history`: the history as rows, written in bulk                     |

Nobody in it is real, and nothing in it was taken from a real conversation.
"""
