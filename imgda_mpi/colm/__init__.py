"""CoLM: restart files, patches and soil layers."""
