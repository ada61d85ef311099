"""From a network to a program with symbolic sizes, and the proof that it is the network."""
