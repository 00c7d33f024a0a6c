"""A door: parse, call one library function, print its result object."""
