"""The commands `saffu check` and `saffu golden`: options in, exit status or files out."""
