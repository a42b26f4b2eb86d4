"""The specification, executable: laws, golden files and refusals of every module of `saffu`."""
