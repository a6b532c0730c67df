"""What `cpex check` and `cpex inspect` know about a config.

Each file holds one group of rules. A rule is a function from a `Reading` to findings; `_checked.RULES` lists them all.
"""
