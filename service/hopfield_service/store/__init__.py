"""Memories in Redis: a log of operations, and a snapshot of what they add up to."""
