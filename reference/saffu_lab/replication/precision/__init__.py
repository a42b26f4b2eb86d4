"""What float32 and float64 cost, and what they are worth.   (SPEC 7)"""
