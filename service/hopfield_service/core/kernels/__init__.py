"""Every compiled function, and nothing else.

Kernels are plain loops over contiguous arrays with explicit arguments and `out` buffers. They never raise: they return
what happened. They release the GIL, so a thread that runs one leaves the interpreter to the others.

Sums over floats are taken in one fixed order, and nothing is handed to BLAS, to `fastmath` or to the C library: the same
input gives the same bits on every machine and on every path.
"""
