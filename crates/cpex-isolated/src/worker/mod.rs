//! The process of an isolated plugin: what is said to it, and what comes of it when it dies.
