"""What a conversion runs on: memory, temporary files, signals, files that are regular."""
