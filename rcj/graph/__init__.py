"""Networks as values: a list of operations, its shapes, costs and groups."""

from rcj.graph.groups import channel_groups as channel_groups
from rcj.graph.groups import inside_blocks as inside_blocks
from rcj.graph.nodes import WEIGHTED as WEIGHTED
from rcj.graph.nodes import Add as Add
from rcj.graph.nodes import BatchNorm as BatchNorm
from rcj.graph.nodes import Conv as Conv
from rcj.graph.nodes import Dense as Dense
from rcj.graph.nodes import Depthwise as Depthwise
from rcj.graph.nodes import Flatten as Flatten
from rcj.graph.nodes import MaxPool as MaxPool
from rcj.graph.nodes import MeanPool as MeanPool
from rcj.graph.nodes import Node as Node
from rcj.graph.nodes import PadShortcut as PadShortcut
from rcj.graph.nodes import Relu as Relu
from rcj.graph.shapes import macs as macs
from rcj.graph.shapes import parameter_shapes as parameter_shapes
from rcj.graph.shapes import shapes as shapes
from rcj.graph.stored import stored as stored
from rcj.graph.value import Graph as Graph
from rcj.graph.value import check as check
from rcj.graph.value import from_json as from_json
