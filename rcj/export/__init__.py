"""Networks as files that leave the project, and back.

A CARD-Deck is one file, too, with members and gate. Other formats are modules
that need more: `export.stablehlo` only JAX, `export.onnx` and `export.litert`
the extras of their names.
"""

from rcj.export.artifact import Sizes as Sizes
from rcj.export.artifact import describe as describe
from rcj.export.artifact import load as load
from rcj.export.artifact import save as save
from rcj.export.artifact import sizes as sizes
from rcj.export.decks import deck_sizes as deck_sizes
from rcj.export.decks import load_deck as load_deck
from rcj.export.decks import save_deck as save_deck
from rcj.export.errors import AlteredError as AlteredError
from rcj.export.errors import ArtifactError as ArtifactError
from rcj.export.errors import MalformedError as MalformedError
from rcj.export.errors import NewerFormatError as NewerFormatError
from rcj.export.errors import NotAnArtifactError as NotAnArtifactError
from rcj.export.errors import TruncatedError as TruncatedError
from rcj.export.found import found as found
