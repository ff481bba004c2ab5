"""How well personal data is found: messages with and without, and figures over them.

`with.jsonl`, `without.jsonl` and `held_out.jsonl` hold a message a line:

    {"id": "with-0001", "region": "US", "text": "...",
     "spans": [{"kind": "email", "start": 9, "end": 27, "matched": "..."}]}

`region` is the creator's country (ISO 3166), `start:end` are code points of `text`. All of them are
written for this set. `held_out.jsonl` was written after the rules and was not used to mend them.
"""
