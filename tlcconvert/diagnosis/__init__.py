"""Whether local statistics help a network: what it does on whole images against what it does on training crops."""
