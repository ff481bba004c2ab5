"""Where messages come from and go to: the port `vaultcrm.domain.channels.Channel`, implemented.

| module            | holds                                                                     |
|-------------------|---------------------------------------------------------------------------|
| `webhook`         | any system that speaks Standard Webhooks, in both directions              |
| `webhook_payload` | the JSON that goes over it, with its limits                               |
| `telegram`        | a bot of the Telegram Bot API; `telegram_payload` its JSON                |
| `fanvue`          | a creator's account on Fanvue; `fanvue_payload` its JSON                  |
| `chatwoot`        | an API inbox of Chatwoot; `chatwoot_payload` its JSON                     |
| `accounts`        | the book of a process's channels; `kinds` what each account needs         |
| `simulator`       | an in-process platform for the demo, tests and evaluation, with its fans  |
"""
