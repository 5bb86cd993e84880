"""Client of the associative memory service."""
