"""The conformance kit: golden files, and the judge of other implementations.   (SPEC 9)"""
