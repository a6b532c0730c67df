"""What secrets look like, and how a line is shown without them.

A line is masked where there may be one; a finding needs better reasons.
"""

import re

from cpex.framework._masking import SECRET_KEY, URL_CREDENTIALS

PASSWORD = re.compile(r"(?:^|[_-])(?:password|passwd|passphrase|pwd)$", re.IGNORECASE)
TOKEN = re.compile(
    r"(?:^|[_-])(?:secret|token|credentials?|api_?key|secret_?key|access_?key|private_?key)$", re.IGNORECASE
)
KNOWN_FORM = re.compile(
    r"gh[pousr]_\w{20,}|github_pat_\w{20,}|sk-[\w-]{20,}|AKIA[0-9A-Z]{16}|xox[abprs]-[\w-]{10,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"
)

_KEY_AND_VALUE = re.compile(r"""([\w-]+)["']?\s*:\s*(?P<value>"[^"]*"?|'[^']*'?|[^,{}[\s][^,}]*)""")


def masked(line: str) -> str:
    """Returns a line of a config with dots in place of what may be a secret; its columns stay what they are."""

    def hide(found: re.Match[str]) -> str:
        value = found["value"]
        if "{{" in value or not SECRET_KEY.search(found[1]):
            return found[0]
        return found[0].removesuffix(value) + _dots(value)

    line = _KEY_AND_VALUE.sub(hide, line)
    for form in KNOWN_FORM, URL_CREDENTIALS:
        line = form.sub(lambda found: _dots(found[0]), line)
    return line


def _dots(text: str) -> str:
    return "•" * len(text)
