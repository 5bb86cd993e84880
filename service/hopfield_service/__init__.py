"""The associative memory service."""
