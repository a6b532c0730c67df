"""Where the names of ``cpex.framework.models`` are defined, one concern a module. Import them from there."""
