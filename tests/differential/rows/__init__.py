"""The rows of `docs/compatibility.md`, each shown on both packages.

A probe is a function that knows `cpex` and the standard library only. It is run in both interpreters with a folder of
its own, and what it returns, or the type of what it raises, is compared with the two columns of its row.
"""
