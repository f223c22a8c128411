"""Who owns what, moving data between ranks, and failing together."""
