"""What `vaultcrm simulate` is made of: running a world, its figures, and the page that shows them.

| module     | holds                                                                              |
|------------|------------------------------------------------------------------------------------|
| `running`  | a scratch database, one process or several, progress, an orderly stop              |
| `figures`  | what a run comes to, as JSON values: the same for the same world and settings      |
| `learning` | the world without pipeline, as arrays: its figures                                 |
| `charts`   | drawings as inline SVG                                                             |
| `page`     | the report, one HTML file (`page.html`)                                            |
"""
