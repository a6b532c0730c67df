//! Limits on how much and how often: the rate limiter, the cost budget and the circuit breaker.
