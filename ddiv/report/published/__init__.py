"""What the authors' own published tables say, for pages of those who do not have the tables.

- ``effects``: our effects of every arm, in the package as ``effects.csv``;
- ``answers``: what the claims' questions come to on the ten studies, as ``answers.json``;
- ``derive``: the command that makes both of a checkout of the repository.

Both files are our own arithmetic on the tables (differences between arms), and hold none of them.
"""
