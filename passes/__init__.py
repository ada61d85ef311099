"""A torch.fx pass library for image-restoration networks: exact folds and local statistics."""
