"""The same generated case on CPEX and on the published package: what can be observed must be equal."""
