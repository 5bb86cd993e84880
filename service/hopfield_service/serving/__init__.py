"""The use cases: what can be done with memories, whoever asks and however it is sent."""
