"""Warm and cold starts on growing amounts of text.   (SPEC 7)"""
