"""The verbs of the program, one function each."""
