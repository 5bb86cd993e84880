"""The numerics: arrays in, arrays out. Knows nothing of gRPC, Redis, clocks or logs."""
