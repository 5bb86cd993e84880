#!/bin/sh
# numba takes no cache directory that it cannot write to, and the root file system may be read-only: the compiled kernels of
# the image are copied to where something can be written. Where nothing can, they are compiled anew at each start.
set -eu
if mkdir -p "$NUMBA_CACHE_DIR" 2>/dev/null && [ -w "$NUMBA_CACHE_DIR" ]; then
    cp -R /opt/hopfield/kernels/. "$NUMBA_CACHE_DIR"
else
    unset NUMBA_CACHE_DIR
fi
exec "$@"
