"""Freeze, then thaw: what each stage of training is worth.   (SPEC 7)"""
