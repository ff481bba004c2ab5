"""Worlds with known truth, for `vaultcrm simulate` and for evaluations.

Plain functions over frozen values; none does I/O and none reads a clock. Whoever asks twice with
the same arguments gets the same answer, on every machine: chance is drawn from a hash of what it is
for (`chance`), not from the order of calls.

| module      | holds                                                                            |
|-------------|----------------------------------------------------------------------------------|
| `chance`    | chance that depends on names, and the logistic function                          |
| `texts`     | what messages are made of, composing them, and reading what one is made of       |
| `presets`   | what kinds of worlds there are, as numbers                                       |
| `people`    | a world: creators, their fans and chatters, with everything that is true of them |
| `fans`      | what fans do: write, answer, buy, tip, fall silent                               |
| `chatters`  | what chatters do: approve, edit, reject; and when                                |
| `voice`     | a drafter of known quality, behind the port of the real ones                     |
| `platform`  | the simulator channel with a log of what it was handed                           |
| `arrays`    | the same fans and chatters as arrays, for learning at speed                      |

The web process imports none of it. Nothing here was measured on people: the figures are made up,
and what is learnt in these worlds holds in these worlds.
"""
