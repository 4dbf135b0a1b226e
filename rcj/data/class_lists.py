"""Lists of ImageNet classes, and hashes that tell them apart.

Classes are named by WordNet id ("wnid"); label k of ImageNet's 1000 is the k-th
of its sorted wnids. The table is the 200 classes of ImageNet-R
(https://arxiv.org/abs/2006.16241) with those labels. The ImageNet100 of paper
S0 (appendix G) is its first 100.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
from jaxtyping import Int

_TABLE = """
  1 n01443537    2 n01484850    4 n01494475    6 n01498041    8 n01514859
  9 n01518878   11 n01531178   13 n01534433   22 n01614925   23 n01616318
 26 n01630670   29 n01632777   31 n01644373   39 n01677366   47 n01694178
 63 n01748264   71 n01770393   76 n01774750   79 n01784675   84 n01806143
 90 n01820546   94 n01833805   96 n01843383   97 n01847000   99 n01855672
100 n01860187  105 n01882714  107 n01910747  113 n01944390  122 n01983481
125 n01986214  130 n02007558  132 n02009912  144 n02051845  145 n02056570
147 n02066245  148 n02071294  150 n02077923  151 n02085620  155 n02086240
160 n02088094  161 n02088238  162 n02088364  163 n02088466  171 n02091032
172 n02091134  178 n02092339  187 n02094433  195 n02096585  199 n02097298
203 n02098286  207 n02099601  208 n02099712  219 n02102318  231 n02106030
232 n02106166  234 n02106550  235 n02106662  242 n02108089  245 n02108915
247 n02109525  250 n02110185  251 n02110341  254 n02110958  259 n02112018
260 n02112137  263 n02113023  265 n02113624  267 n02113799  269 n02114367
276 n02117135  277 n02119022  281 n02123045  288 n02128385  289 n02128757
291 n02129165  292 n02129604  293 n02130308  296 n02134084  299 n02138441
301 n02165456  308 n02190166  309 n02206856  310 n02219486  311 n02226429
314 n02233338  315 n02236044  319 n02268443  323 n02279972  327 n02317335
330 n02325366  334 n02346627  335 n02356798  337 n02363005  338 n02364673
340 n02391049  341 n02395406  344 n02398521  347 n02410509  353 n02423022
355 n02437616  361 n02445715  362 n02447366  365 n02480495  366 n02480855
367 n02481823  368 n02483362  372 n02486410  388 n02510455  390 n02526121
393 n02607072  397 n02655020  401 n02672831  407 n02701002  413 n02749479
414 n02769748  425 n02793495  428 n02797295  430 n02802426  435 n02808440
437 n02814860  441 n02823750  447 n02841315  448 n02843684  457 n02883205
462 n02906734  463 n02909870  469 n02939185  470 n02948072  471 n02950826
472 n02951358  476 n02966193  483 n02980441  487 n02992529  515 n03124170
546 n03272010  555 n03345487  558 n03372029  570 n03424325  579 n03452741
583 n03467068  587 n03481172  593 n03494278  594 n03495258  596 n03498962
609 n03594945  613 n03602883  617 n03630383  621 n03649909  629 n03676483
637 n03710193  657 n03773504  658 n03775071  701 n03888257  717 n03930630
724 n03947888  763 n04086273  768 n04118538  774 n04133789  776 n04141076
779 n04146614  780 n04147183  787 n04192698  805 n04254680  812 n04266014
815 n04275548  820 n04310018  824 n04325704  833 n04347754  847 n04389033
852 n04409515  866 n04465501  875 n04487394  883 n04522168  889 n04536866
895 n04552348  907 n04591713  928 n07614500  931 n07693725  932 n07695742
933 n07697313  934 n07697537  936 n07714571  937 n07714990  943 n07718472
945 n07720875  947 n07734744  948 n07742313  949 n07745940  951 n07749582
953 n07753275  954 n07753592  957 n07768694  963 n07873807  965 n07880968
967 n07920052  980 n09472597  981 n09835506  983 n10565667  988 n12267677
"""
_WORDS = _TABLE.split()
_PARENT = dict(zip(_WORDS[1::2], map(int, _WORDS[::2]), strict=True))

IMAGENET_R = tuple(_PARENT)
IMAGENET100 = IMAGENET_R[:100]

# SHA-256 of the sorted wnids, one on each line, no line end after the last.
_KNOWN = {
  'e19a59d84e3746fafd34d2ccf6ae604a44e9a0500a596f343c878a89e30ce624': (
    'imagenet_r'
  ),
  'b9d90b750b377c83e6f62712de0773fc6718b418ba271080ef9569e347f1be19': (
    'imagenet100'
  ),
  '385e0240499426c022b773be1ae4da780f057b89c9694c7f47199f62746b6edd': (
    'imagenet'
  ),
}


def digest(wnids: Iterable[str]) -> str:
  """SHA-256 of a class list in hexadecimal, whatever its order."""
  return hashlib.sha256('\n'.join(sorted(wnids)).encode()).hexdigest()


def name_of(wnids: Iterable[str]) -> str:
  """'imagenet', 'imagenet100' or 'imagenet_r' by the hash, else ''."""
  return _KNOWN.get(digest(wnids), '')


def describe(wnids: tuple[str, ...]) -> str:
  """A class list in words: 'imagenet100 (100 classes, sha256 b9d90b750b37)'.

  The name comes from the hash, so a list with one other class has none.
  """
  name = name_of(wnids) or 'a class list of its own'
  return f'{name} ({len(wnids)} classes, sha256 {digest(wnids)[:12]})'


def parents(wnids: tuple[str, ...]) -> Int[np.ndarray, ' K'] | None:
  """Label of each class among the 1000 of ImageNet, int32.

  With them, a 1000-class network is read as one of these classes: its logits
  are taken at `parents`.

  Returns:
    None if a class is not in the table, unless these are all 1000 classes.
  """
  if name_of(wnids) == 'imagenet':
    return np.argsort(np.argsort(wnids)).astype(np.int32)
  if not set(wnids) <= set(_PARENT):
    return None
  return np.array([_PARENT[w] for w in wnids], np.int32)


def among_renditions(wnids: tuple[str, ...]) -> tuple[str, ...]:
  """Those of the classes that ImageNet-R shows.

  Raises:
    ValueError: if it shows none.
  """
  drawn = tuple(w for w in wnids if w in _PARENT)
  if not drawn:
    raise ValueError(
      f"none of the {len(wnids)} classes is among ImageNet-R's "
      f'{len(IMAGENET_R)}: {wnids[:5]}; classes must be wnids'
    )
  return drawn
