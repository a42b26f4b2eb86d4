"""Single-layer study: how far the explicit solution of one layer is from the optimum.   (SPEC 7)"""
