"""Array libraries: dispatch, conversion of arguments, and functions that some libraries lack."""
