"""What a tensor per window is: where it is stored, which operations carry it over, how it becomes pixels again."""
