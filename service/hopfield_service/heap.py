"""The heap of the process: what is freed goes back to the system."""

import ctypes

# Of <malloc.h>.
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8
# Bytes from which on a block is mapped by itself, and unmapped when it is freed.
_LARGE = 1 << 20
_ARENAS = 2


def return_what_is_freed() -> None:
    """Has the C library keep little of what was freed; does nothing where it is not glibc.

    glibc raises the size from which it maps blocks to that of the largest ever freed. Messages and matrices would then
    lie between small objects, on a heap for each thread that does not shrink.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return
    mallopt(_M_MMAP_THRESHOLD, _LARGE)
    mallopt(_M_ARENA_MAX, _ARENAS)
