"""SAFFU for PyTorch: functions on tensors, a module a chapter of the specification, and models.

    from saffu_torch.model import Configuration, SaffuLanguageModel, SaffuLayer
    from saffu_torch.warm import warm_start

Nothing of the package `saffu` is needed.
"""
