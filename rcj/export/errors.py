"""What can be wrong with the file of a network, one error for each."""

from __future__ import annotations


class ArtifactError(ValueError):
  """A file that cannot be read as a network."""


class NotAnArtifactError(ArtifactError):
  """A file of another kind."""


class TruncatedError(ArtifactError):
  """A file that ends before its contents do."""


class AlteredError(ArtifactError):
  """A file whose contents are not those that were written."""


class NewerFormatError(ArtifactError):
  """A file of a version of the format that is not known yet."""


class MalformedError(ArtifactError):
  """A file that was written so, but describes no network."""
