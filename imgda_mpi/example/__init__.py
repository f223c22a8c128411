"""The embedded example: a synthetic but plausible Earth in the formats of CoLM202X and GLDAS."""
