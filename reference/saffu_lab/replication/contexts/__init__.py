"""Which context models does a model profit from?   (SPEC 7)"""
