"""Context study: which context models lower perplexity.   (SPEC 7)"""
