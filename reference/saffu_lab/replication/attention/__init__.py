"""Does explicit attention help, and what does it look at?   (SPEC 7)"""
