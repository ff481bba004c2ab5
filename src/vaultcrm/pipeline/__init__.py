"""The steps of a message's way, in order. None imports another; `vaultcrm.workflows` joins them.

| step          | from → to                                                       |
|---------------|-----------------------------------------------------------------|
| `context`     | a situation → what matters in it (engagement)                   |
| `personality` | a stored profile, or none → the voice to use                    |
| `prompting`   | situation and voice → the prompt                                |
| `safety`      | a text → findings and a verdict                                 |
| `generation`  | candidates and verdicts → the chosen draft and its confidence   |
| `approval`    | draft, fan, flags → send, queue or reject, and how urgent       |
| `guidance`    | care for a fan → what a chatter is told, and helplines          |
| `delivery`    | a decision → a message bound to exactly what was decided        |
"""
