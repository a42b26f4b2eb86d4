"""Talking to a port: in this process, or to a program over JSON lines."""
