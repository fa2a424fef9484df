"""What commands ask of a running stack."""
