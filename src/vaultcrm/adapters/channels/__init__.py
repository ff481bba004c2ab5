"""Where messages come from and go to: the port `vaultcrm.domain.channels.Channel`, implemented.

| module            | holds                                                                     |
|-------------------|---------------------------------------------------------------------------|
| `webhook`         | any system that speaks Standard Webhooks, in both directions              |
| `webhook_payload` | the JSON that goes over it, with its limits                               |
| `simulator`       | an in-process platform for the demo, tests and evaluation, with its fans  |
"""
