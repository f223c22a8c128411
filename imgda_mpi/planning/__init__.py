"""What an analysis takes of each rank: memory, messages, FFTs. Arithmetic, no communicator."""
