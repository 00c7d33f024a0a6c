"""Commands: parse the arguments, call one library function, print its result."""
