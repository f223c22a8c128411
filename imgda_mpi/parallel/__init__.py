"""MPI without a subject: failing together, sharing out, moving rows."""
