"""Experiments: a frozen configuration, and a pure run of it."""
