"""Networks as files that leave the project, and back.

Other formats are modules that need more: `export.stablehlo` only JAX,
`export.onnx` and `export.litert` the extras of their names.
"""

from rcj.export.artifact import Sizes as Sizes
from rcj.export.artifact import describe as describe
from rcj.export.artifact import load as load
from rcj.export.artifact import save as save
from rcj.export.artifact import sizes as sizes
from rcj.export.errors import AlteredError as AlteredError
from rcj.export.errors import ArtifactError as ArtifactError
from rcj.export.errors import MalformedError as MalformedError
from rcj.export.errors import NewerFormatError as NewerFormatError
from rcj.export.errors import NotAnArtifactError as NotAnArtifactError
from rcj.export.errors import TruncatedError as TruncatedError
