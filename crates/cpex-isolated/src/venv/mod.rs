//! The environment of an isolated plugin: what it is made of, when it is made anew, and how it is made.
