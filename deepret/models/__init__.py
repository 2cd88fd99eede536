"""The parts of a network, and their composition."""
