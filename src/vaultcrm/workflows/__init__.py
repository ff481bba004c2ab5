"""The use cases: one file each, each a short function that reads like the list of its steps.

    inbound message ──> context ──> prompt ──> LLM ──> content filter ──> confidence
     receive_message    └────────────── generate_message ─────────────────────┘│
                                                                                ▼
       learning <── outcome <── delivery <── [approval queue] <── approval policy
                  record_outcome  deliver_message  decide_approval

| workflow               | steps                                                               |
|------------------------|---------------------------------------------------------------------|
| `receive_message`      | keep the raw event, deduplicate, store, mark older drafts stale     |
| `generate_message`     | open (caller, flags, limits, context), prompt, draft, filter, decide|
| `judge_draft`          | where there is doubt or much at stake: what the draft means         |
| `repair_draft`         | what was stopped is drafted once more, with what was found in it    |
| `decide_approval`      | decide once, feedback, hand to delivery                             |
| `deliver_message`      | mark, check against what was decided, send once, receipt            |
| `record_outcome`       | attach what a message did to the generation that caused it          |
| `import_conversations` | one line a conversation, bad lines reported, twice changes nothing  |
| `change_personality`   | check, save the next version                                        |
| `try_personality`      | open, draft with both voices, filter, count; nothing is saved       |

I/O happens here and below, at the edges of each function; no transaction and no connection is
held while a language model or a platform is called.
"""
