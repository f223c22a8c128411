"""Pure numerics: no MPI, files, plots or settings."""
