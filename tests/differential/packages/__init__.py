"""Published plugin packages, unmodified: the same inputs on CPEX and on the published package, result for result."""
