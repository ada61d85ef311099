"""Which architectures convert."""
