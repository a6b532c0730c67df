"""Reading plugin configurations and turning their entries into plugins."""

from cpex.framework._lazy import submodules

__getattr__ = submodules(__name__, ("config", "plugin"))
