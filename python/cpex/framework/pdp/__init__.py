"""Policy decision points: asking OPA or an AuthZEN service whether something is allowed."""

from cpex.framework.pdp.authzen import AuthZenResolver
from cpex.framework.pdp.base import PdpResolver, PdpResult
from cpex.framework.pdp.opa import OpaResolver

__all__ = ["AuthZenResolver", "OpaResolver", "PdpResolver", "PdpResult"]
