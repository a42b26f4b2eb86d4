"""saffu: softmax layers and self-attention with explicit solutions.

Parameters of softmax layers computed from co-occurrence counts instead of by gradient descent,
after Williams & Zhao (arXiv 2311.07510, 2311.07498): the layers, their explicit solutions,
hand-written backpropagation, and language models made of them.

Everything public is `saffu.<name>`.  A name is loaded when it is first used, so that importing the
package costs little; `saffu.MODULES` says in which module each name is defined and explained.
"""

from __future__ import annotations

import ast
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    __version__: str
    from saffu.attention import compare as compare
    from saffu.attention import compare_vjp as compare_vjp
    from saffu.batch import Batch as Batch
    from saffu.batch import plan as plan
    from saffu.cipher import bit_cipher as bit_cipher
    from saffu.cipher import cipher_decode as cipher_decode
    from saffu.cipher import cipher_embedding as cipher_embedding
    from saffu.cipher import rank_tokens as rank_tokens
    from saffu.configuration import BASE as BASE
    from saffu.configuration import DIRECT as DIRECT
    from saffu.configuration import PAPER as PAPER
    from saffu.configuration import PRESETS as PRESETS
    from saffu.configuration import SMALL as SMALL
    from saffu.configuration import TINY as TINY
    from saffu.configuration import Configuration as Configuration
    from saffu.contexts import BlockContext as BlockContext
    from saffu.contexts import Context as Context
    from saffu.contexts import DocumentContext as DocumentContext
    from saffu.contexts import RadialContext as RadialContext
    from saffu.contexts import block_context as block_context
    from saffu.contexts import document_context as document_context
    from saffu.contexts import radial_context as radial_context
    from saffu.counts import Cooccurrence as Cooccurrence
    from saffu.counts import cooccurrence as cooccurrence
    from saffu.counts import priming_number as priming_number
    from saffu.data.corpus import Corpus as Corpus
    from saffu.data.counting import count_tokens as count_tokens
    from saffu.data.prose import prose as prose
    from saffu.data.readers import read_documents as read_documents
    from saffu.data.tokenisers import Bytes as Bytes
    from saffu.data.tokenisers import Characters as Characters
    from saffu.data.tokenisers import HuggingFace as HuggingFace
    from saffu.data.tokenisers import Words as Words
    from saffu.data.vocabulary import Vocabulary as Vocabulary
    from saffu.direct import DirectParameters as DirectParameters
    from saffu.direct import direct_logits as direct_logits
    from saffu.embedding import radial_embedding as radial_embedding
    from saffu.errors import Interrupted as Interrupted
    from saffu.errors import SaffuError as SaffuError
    from saffu.explicit.choice import SmoothingChoice as SmoothingChoice
    from saffu.explicit.choice import choose_smoothing as choose_smoothing
    from saffu.explicit.hidden import hidden_targets as hidden_targets
    from saffu.explicit.refinement import Refinement as Refinement
    from saffu.explicit.refinement import refine as refine
    from saffu.explicit.refinement import refined_logits as refined_logits
    from saffu.explicit.smoothing import Additive as Additive
    from saffu.explicit.smoothing import Backoff as Backoff
    from saffu.explicit.smoothing import Discount as Discount
    from saffu.explicit.smoothing import smooth as smooth
    from saffu.explicit.solution import ExplicitFit as ExplicitFit
    from saffu.explicit.solution import explicit_solution as explicit_solution
    from saffu.explicit.temper import TemperFit as TemperFit
    from saffu.explicit.temper import fit_temper as fit_temper
    from saffu.explicit.temper import tempered_logits as tempered_logits
    from saffu.explicit.temper import tempered_weights as tempered_weights
    from saffu.files.countfile import load_counts as load_counts
    from saffu.files.countfile import save_counts as save_counts
    from saffu.layer import LayerOptions as LayerOptions
    from saffu.layer import SaffuGradient as SaffuGradient
    from saffu.layer import SaffuState as SaffuState
    from saffu.layer import saffu_backward as saffu_backward
    from saffu.layer import saffu_forward as saffu_forward
    from saffu.loss import bits_per_byte as bits_per_byte
    from saffu.loss import cross_entropy as cross_entropy
    from saffu.loss import cross_entropy_gradient as cross_entropy_gradient
    from saffu.loss import perplexity as perplexity
    from saffu.loss import token_nats as token_nats
    from saffu.model import ModelState as ModelState
    from saffu.model import model_forward as model_forward
    from saffu.model import model_gradient as model_gradient
    from saffu.model import model_loss as model_loss
    from saffu.models.training import Rates as Rates
    from saffu.models.training import Record as Record
    from saffu.models.training import Schedule as Schedule
    from saffu.models.transformer import SaffuTransformer as SaffuTransformer
    from saffu.network import SoftmaxNetwork as SoftmaxNetwork
    from saffu.numerics import log_softmax as log_softmax
    from saffu.numerics import log_softmax_vjp as log_softmax_vjp
    from saffu.numerics import softmax as softmax
    from saffu.numerics import softmax_vjp as softmax_vjp
    from saffu.optim import AdamState as AdamState
    from saffu.optim import adam_start as adam_start
    from saffu.optim import adam_step as adam_step
    from saffu.optim import sgd_step as sgd_step
    from saffu.parameters import LayerParameters as LayerParameters
    from saffu.parameters import Parameters as Parameters
    from saffu.parameters import cold_start as cold_start
    from saffu.parameters import flatten as flatten
    from saffu.parameters import unflatten as unflatten
    from saffu.positions import Samples as Samples
    from saffu.positions import make_samples as make_samples
    from saffu.warm.layer import WarmSettings as WarmSettings
    from saffu.warm.start import WarmStart as WarmStart
    from saffu.warm.start import warm_start as warm_start


def _public_names() -> dict[str, str]:
    """Each name imported above, for type checkers only, and the module that defines it."""
    source = ast.parse(Path(__file__).read_text(encoding="utf-8"))
    (block,) = (node for node in source.body if isinstance(node, ast.If))
    imports = (node for node in block.body if isinstance(node, ast.ImportFrom))
    return {name.name: str(node.module) for node in imports for name in node.names}


MODULES: Final = _public_names()
"""Where each public name is defined."""


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("saffu")
    if name not in MODULES:
        raise AttributeError(f"module 'saffu' has no attribute {name!r}")
    value = getattr(import_module(MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *MODULES, "__version__"})
