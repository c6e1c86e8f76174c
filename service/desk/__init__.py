"""The review desk: what the reader is not sure of goes to a clerk, and what is keyed comes back."""
