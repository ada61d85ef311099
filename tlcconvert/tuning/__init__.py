"""Which window is best for a network, told from degraded images and their clean originals."""
