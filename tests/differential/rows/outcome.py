"""What a probe came to."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Raised:
    """An exception left the probe; the text is shown and not compared."""

    kind: str
    says: str = field(default="", compare=False)
