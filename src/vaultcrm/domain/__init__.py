"""What the product talks about: frozen values, ports and errors. Nothing here does I/O.

| module         | holds                                                                |
|----------------|----------------------------------------------------------------------|
| `ids`          | UUIDv7 ids                                                           |
| `money`        | integer minor units with an ISO currency                             |
| `people`       | creators, fans and their tiers, users and what they may see          |
| `conversation` | conversations and their messages                                     |
| `personality`  | how a creator sounds                                                 |
| `generation`   | one AI draft and its whole history                                   |
| `drafting`     | what goes to a language model and what comes back (port `Drafter`)   |
| `judging`      | whether a text means what rules cannot see (port `Judge`)            |
| `situation`    | everything that is known when a draft is asked for                   |
| `safety`       | findings and verdicts of the content filter                          |
| `approval`     | reasons and decisions                                                |
| `disclosure`   | telling a fan that AI helps to write                                 |
| `channels`     | where messages come from and go to (port `Channel`)                  |
| `events`       | what other systems are told of (port `EventSender`)                  |
| `flags`        | the flags in force for one creator                                   |
| `limits`       | what a call reserves before it is made                               |
| `audit`        | what is written to the audit log                                     |
| `alerts`       | conditions that somebody must know of                                |
| `experiments`  | A/B tests and their variants                                         |
| `metrics`      | what a period's drafts came to                                       |
| `errors`       | everything that can go wrong and whose fault it is                   |
"""
