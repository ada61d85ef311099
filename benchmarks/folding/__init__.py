"""What folding branches is worth."""
