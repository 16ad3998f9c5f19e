"""Learning: phases, rules, and how a wanted change becomes pulses."""
