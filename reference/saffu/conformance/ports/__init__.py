"""Both ends of the talk between kit and port: in one process or over JSON lines; schemas."""
