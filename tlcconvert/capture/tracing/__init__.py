"""What Python does with sizes, kept symbolic while a network is traced."""
