"""Golden files and the kit that holds other implementations to them.   (SPEC 9)"""
