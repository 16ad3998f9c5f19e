"""Sweeps: designs over the settings of `madem train`, measured anywhere, stored once."""
