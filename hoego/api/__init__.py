"""What a notebook holds: runs as objects, and the functions that take them. `import hoego` shows it."""
