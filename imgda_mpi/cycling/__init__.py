"""A run of cycles: what comes when, what runs it, and what is done when something fails. Without MPI."""
