"""What a careful user would do without curvelets: methods to compare with."""
