"""Views of a text: the same text as different readers see it, each with a map back to it.

A rule never sees what a person typed but a *view* of it, so that one rule covers all its
disguises. Every view maps its offsets back to the text, so that findings point at what was typed.

| view           | what it undoes                                                              |
|----------------|-----------------------------------------------------------------------------|
| `plain`        | case, compatibility forms (NFKC), accents, invisible characters, lookalikes |
| `leet`         | digits and symbols that stand for letters: `v3nm0`                           |
| `joined`       | letters that were pulled apart: `v.e.n.m.o`, `v e n m o`, `ven-mo`           |
| `joined_leet`  | both                                                                         |
| `signs`        | signs drawn like letters (`signs`), as in `ᗷᎥ丅`                              |
| `reread`       | words disguised in any other way (`words`): `v*nmo`, `venmooo`               |

`views.views_of` makes only those that differ from `plain`, so that ordinary text costs one. Each
kind of folding is a module: `folding`, `leet`, `joining` (with the `vocabulary` that it reads by),
`signs`, `words`; `view` is what they make, and has the map of offsets.

Where letters were pulled apart, nothing says where one word ends and the next begins: in
`k i k u r` the last two may be "you are". Terms are therefore found anywhere within a run of such
letters, and the joined view is also made with only the words of a `Vocabulary` joined, for
patterns and phrases, which need to see where a word ends. Where the letters of a word stand closer
together than its words do (`v.e.n.m.o m.e`, `v e n m o  m e`), it is also read as they stand.
"""
