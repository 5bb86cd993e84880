"""`python -m hopfield_client.demo`: ten handwritten digits, corrupted and recalled over gRPC."""
