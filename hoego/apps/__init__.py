"""Applications over the library: synthetic people, the demo, the doctor and the diary."""
