"""Clients of CPEX that we did not write, run on it unchanged. `make clients` installs and runs them."""
