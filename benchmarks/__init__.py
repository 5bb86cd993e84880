"""How fast it is, beside what else there is. Never part of the tests, and asserts nothing: see docs/performance.md."""
