"""Attention study: whether explicit attention helps, and which slots it attends to.   (SPEC 7)"""
