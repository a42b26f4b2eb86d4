"""Freeze, then thaw: what each stage of training is worth, by amount of text.   (SPEC 7)"""
