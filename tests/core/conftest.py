"""What the tests of the core share: no deadline for examples, the first of which compiles kernels."""

from hypothesis import settings

settings.register_profile("core", deadline=None, max_examples=60)
settings.load_profile("core")
