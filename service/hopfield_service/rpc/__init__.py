"""The wire: servicers that convert, call, convert."""
