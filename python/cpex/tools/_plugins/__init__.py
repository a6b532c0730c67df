"""Plugins as packages: finding, checking, installing and removing them, one job a module."""
