"""What the inputs and outputs of nodes are: tensors, and sizes."""
