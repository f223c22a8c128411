"""Every file that is written for the user: its writer and its reader; folders and manifests."""
