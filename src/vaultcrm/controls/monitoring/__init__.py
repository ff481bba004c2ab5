"""What a process sees of itself, when that is worth an alert, and how Prometheus is told.

`observed` counts, `conditions` decides when something is worth an alert and when it is over,
`exposition` writes counts down, `request_id` names the request that is being answered.
"""
