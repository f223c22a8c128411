"""Error models: where the variances B and R of coefficients, and the covariance B of images, come from."""
