"""What a conversion did, for people: one page without a network, and the same facts for programs."""
