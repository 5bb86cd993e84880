"""The wire of the associative memory service."""
