"""What a conversion has to change in the process around it: for its own thread, and no longer than needed."""
