"""CPEX, the ContextForge Plugin Extensibility Framework: `cpex.framework` is what applications and plugins import."""
