"""Tables and figures from saved results."""
