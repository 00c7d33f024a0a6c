"""Photos, their subjects and their labels."""
