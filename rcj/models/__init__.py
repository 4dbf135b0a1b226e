"""Networks as linen modules: create, initialise, run, import from elsewhere."""

from rcj.models.apply import init as init
from rcj.models.apply import logits as logits
from rcj.models.apply import outputs as outputs
from rcj.models.apply import predict as predict
from rcj.models.apply import results as results
from rcj.models.fold import folded as folded
from rcj.models.graph_net import GraphNet as GraphNet
from rcj.models.heads import with_new_head as with_new_head
from rcj.models.int_net import IntNet as IntNet
from rcj.models.quant_import import load_quant_dequant as load_quant_dequant
from rcj.models.quant_net import QuantNet as QuantNet
from rcj.models.registry import NAMES as NAMES
from rcj.models.registry import create as create
from rcj.models.registry import from_spec as from_spec
from rcj.models.registry import preprocessing as preprocessing
from rcj.models.registry import spec as spec
from rcj.models.torch_import import load_torch as load_torch
from rcj.models.trace import channel_groups as channel_groups
from rcj.models.trace import graph_of as graph_of
