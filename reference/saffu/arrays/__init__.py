"""Which library an array belongs to, where it lies, and what that library cannot do by itself."""
