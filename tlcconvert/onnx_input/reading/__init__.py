"""From bytes to a checked, ordered, float32 model."""
