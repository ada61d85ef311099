"""A model as an nn.Module."""
