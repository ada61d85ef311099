"""Programs that compute in half precision where that loses nothing that is seen."""
