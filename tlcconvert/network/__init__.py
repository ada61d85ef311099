"""A network as it is given: its inputs, its outputs, and a copy to compare with."""
