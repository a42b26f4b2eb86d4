"""Precision study: accuracy and cost of float32 and float64.   (SPEC 7)"""
