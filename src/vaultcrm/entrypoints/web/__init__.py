"""The console: pages rendered on the server, plain forms, no script.

| module               | holds                                                           |
|----------------------|-----------------------------------------------------------------|
| `console`            | `install`: routes, static files and error pages of the console  |
| `sign_in_routes`     | signing in by a password or a signed link, and out              |
| `account_routes`     | one's own password and sessions                                 |
| `team_routes`        | who may sign in and what they may do, for admins                |
| `queue_routes`       | the approval queue                                              |
| `inbox_routes`       | the list of conversations, which `inbox_list` reads             |
| `conversation_routes`| one conversation, which `conversation_view` reads and renders   |
| `drafting_routes`    | drafts in the conversation: shown as they are written, decided  |
| `typed`              | what people type into forms, read                               |
| `dashboard_routes`   | the day, in `numbers` and `charts`, which share `figures`       |
| `alert_routes`       | alerts, and those that stand on every page                      |
| `control_routes`     | flags, limits in use and the audit log                          |
| `errors`             | error pages                                                     |
| `sessions`           | who is signed in, and whether a form came from one of our pages |
| `desk`               | what every page knows: creators, flags, counts                  |
| `thread`, `marking`  | messages and findings as they are shown                         |
| `words`, `times`     | every code, flag and time in plain English                      |
| `pages`              | templates and the headers of every answer                       |
"""
