"""The demo's three creators, their fans and their months of messages, made from a seed.

| module    | holds                                                              |
|-----------|--------------------------------------------------------------------|
| `world`   | the values that come out                                           |
| `scripts` | what was written for it, read from `data/*.toml`                   |
| `build`   | `build_world`: from the scripts, a seed and a time to a `DemoWorld` |

Nobody in it is real, and nothing in it was taken from a real conversation.
"""
