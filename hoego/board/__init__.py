"""The board: the records in a browser. It shows what the library returns and changes what its functions change.

It keeps nothing of its own: no database, no settings, no session. What it holds in memory are copies of files that it
reads again when they change.
"""
