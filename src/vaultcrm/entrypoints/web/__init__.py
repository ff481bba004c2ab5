"""The console: pages rendered on the server, a room a page; templates stand in the same rooms.

| room                | holds                                                                   |
|---------------------|-------------------------------------------------------------------------|
| `console`           | `install`: routes, static files and error pages of the console          |
| `frame`             | what all pages share: `desk` (creators, flags, counts), `pages`         |
|                     | (templates, headers), `sessions`, `live`, `errors`, menu and palette    |
| `text`              | every code, flag and time in plain English; findings marked; forms read |
| `account`           | signing in and out, one's own password and sessions                     |
| `inbox`             | the list of conversations                                               |
| `conversation`      | one conversation: thread, fan, composer, drafts as they are written     |
| `queue`             | the approval queue                                                      |
| `message_templates` | the library of message templates                                        |
| `personalities`     | the creators' voices                                                    |
| `channels`          | the creators' accounts on platforms                                     |
| `dashboard`         | the day, in numbers and charts                                          |
| `data`              | how long things are kept; a fan's export and erasure                    |
| `oversight`         | alerts, flags, limits in use, the audit log                             |
| `team`              | who may sign in and what they may do, for admins                        |

In a room, `routes` reads, renders and hands forms to workflows; `view` gathers what a page shows.
"""
